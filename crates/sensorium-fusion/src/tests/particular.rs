//! What a method keeps besides: the promise that its name makes.

use burn::module::Module;
use sensorium_core::Recorder;
use sensorium_core::tap::Losses;
use sensorium_testkit::{
    assert_close, check_gradients, devices, floats, max_difference, parameter_snapshot,
};

use super::*;

#[test]
fn gates_share_what_is_present() {
    let device = &devices()[0];
    let case = Case {
        table: small(FusionKind::Gated),
        widths: WIDTHS.to_vec(),
    };
    let mut tap = Recorder::default();
    let mut two = case.parts(1, device);
    two.remove(AUDIO);
    case.build(device).fuse_with(two, &mut tap);
    let (shape, gates) = tap.get("gates").unwrap();
    assert_eq!(shape, [1, 3, 8]);
    assert!(
        gates[..8].iter().all(|g| *g == 0.0),
        "audio comes first, and has none"
    );
    for d in 0..8 {
        assert!((gates[8 + d] + gates[16 + d] - 1.0).abs() < 1e-5);
    }
}

#[test]
fn text_and_image_of_512_are_joined_to_1024_and_projected_to_512() {
    for device in devices() {
        let config = ConcatFusionConfig::text_image_512();
        assert_eq!(config.d_concat(), 1024);
        let fusion = config.init(&device);
        assert_eq!(fusion.projection.weight.dims(), [1024, 512]);
        assert_eq!(fusion.d_output(), 512);
        let parts = Parts::new()
            .with(TEXT, Tokens::dense(random([2, 3, 512], 1, &device)))
            .with(IMAGE, Tokens::dense(random([2, 5, 512], 2, &device)));
        assert_eq!(fusion.fuse(parts).dims(), [2, 1, 512]);

        // What a recipe writes down is the same.
        let table = FusionConfig {
            kind: FusionKind::Concat,
            d_model: 512,
            ..FusionConfig::default()
        };
        let named = table.build(&[(TEXT, 512), (IMAGE, 512)], &device).unwrap();
        let named = parameter_snapshot(&named.concat.unwrap());
        assert_eq!(named, parameter_snapshot(&fusion));
    }
}

/// With gates at zero, the others do not count at all.
#[test]
fn gated_cross_attention_begins_as_the_main_modality_alone() {
    for device in devices() {
        let fusion = pair(FusionKind::GatedCrossAttention).build(&device);
        let parts = pair(FusionKind::GatedCrossAttention).parts(2, &device);
        let mut alone = parts.clone();
        alone.remove(IMAGE);
        let (whole, alone) = (fusion.fuse(parts.clone()), fusion.fuse(alone));
        assert_eq!(max_difference(&whole.embeds, &alone.embeds), 0.0);
        let opened = trainable(fusion).fuse(parts);
        assert!(max_difference(&opened.embeds, &whole.embeds) > 1e-3);
    }
}

/// Each modality's stream is informed by the other: a change on one side is seen on both.
#[test]
fn co_attention_goes_in_both_directions() {
    for device in devices() {
        let case = pair(FusionKind::CoAttention);
        let fusion = case.build(&device);
        let parts = case.parts(1, &device);
        let before = fusion.fuse(parts.clone()).embeds;
        // Image tokens come first, as its name does.
        for (changed, other) in [(TEXT, 0), (IMAGE, TOKENS)] {
            let mut parts = parts.clone();
            let tokens = parts.remove(changed).unwrap();
            parts.insert(
                changed,
                Tokens::new(tokens.embeds.add_scalar(1.0), tokens.pad),
            );
            let after = fusion.fuse(parts).embeds;
            let side = |x: &Tensor<3>| x.clone().narrow(1, other, TOKENS);
            assert!(max_difference(&side(&before), &side(&after)) > 1e-4);
        }
    }
}

/// In one layer, a modality's tokens see what is shared, and nothing of the other modality.
#[test]
fn bottlenecks_are_the_only_way() {
    for device in devices() {
        for (n_layers, sees) in [(1, false), (2, true)] {
            let mut case = pair(FusionKind::Bottleneck);
            case.table.n_layers = n_layers;
            let fusion = case.build(&device);
            let parts = case.parts(1, &device);
            let mut changed = parts.clone();
            let text = changed.remove(TEXT).unwrap();
            changed.insert(TEXT, Tokens::new(text.embeds.add_scalar(1.0), text.pad));
            let image = |parts| fusion.fuse(parts).embeds.narrow(1, 3, TOKENS);
            let moved = max_difference(&image(parts), &image(changed));
            assert_eq!(moved > 1e-6, sees, "{n_layers} layers: {moved}");
        }
    }
}

#[test]
fn a_sure_expert_counts_more_and_none_is_the_standard_normal() {
    for device in devices() {
        let fusion = pair(FusionKind::ProductOfExperts).build(&device);
        let mut tap = Recorder::default();
        fusion.fuse_with(pair(FusionKind::Concat).parts(2, &device), &mut tap);
        let (_, both) = tap.get("variance").unwrap();
        let both = both.to_vec();
        let mut tap = Recorder::default();
        fusion.fuse_with(Parts::new().with(TEXT, tokens(TEXT, 2, &device)), &mut tap);
        let (_, one) = tap.get("variance").unwrap();
        assert!(
            both.iter()
                .zip(one)
                .all(|(both, one)| both < one && *one < 1.0)
        );
        let nothing = Tokens::new(
            random([2, 3, 6], 1, &device),
            Tensor::full([2, 3], true, &device),
        );
        let mean = fusion.fuse(Parts::new().with(TEXT, nothing)).embeds;
        assert_eq!(floats(&mean), vec![0.0; 16]);
    }
}

/// A well-known implementation keeps its factors in a plain list, where no optimiser finds them.
#[test]
fn the_factors_of_low_rank_fusion_are_parameters_that_train() {
    for device in devices().into_iter().map(Device::autodiff) {
        let fusion = pair(FusionKind::LowRankTensor).build(&device);
        let names = parameter_snapshot(&fusion);
        assert!(
            names.contains("low_rank_tensor.factors.0 [2, 5, 8]"),
            "{names}"
        );
        let parts = pair(FusionKind::LowRankTensor).parts(2, &device);
        let w = random([2, 1, 8], 9, &device);
        check_gradients(fusion, |f| (f.fuse(parts).embeds * w).sum());
    }
}

fn losses(fusion: &AnyFusion, parts: Parts) -> Vec<(String, Tensor<1>, f64)> {
    let mut losses = Losses::default();
    fusion.fuse_with(parts, &mut losses);
    losses.seen
}

#[test]
fn experts_show_how_evenly_they_are_used_and_padding_does_not_count() {
    for device in devices() {
        let case = pair(FusionKind::ModalityExperts);
        let fusion = case.build(&device);
        let seen = losses(&fusion, case.parts(2, &device));
        let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            ["blocks.0.experts.balance", "blocks.1.experts.balance"]
        );
        assert!(seen.iter().all(|(_, _, weight)| *weight == 0.01));
        let longer = |t: &Tokens| {
            let garbage = t.embeds.clone().mul_scalar(50.0);
            let pad = Tensor::full([2, TOKENS], true, &device);
            Tokens::concat(vec![t.clone(), Tokens::new(garbage, pad)])
        };
        let parts = case.parts(2, &device);
        let longer: Parts = parts.iter().map(|(m, t)| (m, longer(t))).collect();
        for (a, b) in seen.iter().zip(losses(&fusion, longer)) {
            assert_close(&a.1, &b.1, 1e-5);
            let value = floats(&a.1)[0];
            assert!((0.5..=3.0).contains(&value), "{value}");
        }
    }
}

/// With a router that sends all to one expert the loss is as many as there are, with none preferred it is one; and its gradient
/// reaches the router.
#[test]
fn the_balance_loss_is_what_it_is_by_definition() {
    for device in devices().into_iter().map(Device::autodiff) {
        let mut case = pair(FusionKind::ModalityExperts);
        case.table.n_layers = 1;
        case.table.top_k = 1;
        let mut fusion = case.build(&device);
        let experts = &mut fusion.modality_experts.as_mut().unwrap().blocks[0].experts;
        let shape = experts.router.weight.dims();
        let router = |weight: Tensor<2>| burn::module::Param::from_tensor(weight);
        experts.router.weight = router(Tensor::zeros(shape, &device));
        let even = losses(&fusion, case.parts(2, &device)).remove(0).1;
        assert!((floats(&even)[0] - 1.0).abs() < 1e-5);

        let experts = &mut fusion.modality_experts.as_mut().unwrap().blocks[0].experts;
        experts.router.weight = router(random(shape, 7, &device));
        let trained = fusion.train();
        let balance = losses(&trained, case.parts(2, &device)).remove(0).1;
        let grads = balance.backward();
        let router = &trained.modality_experts.as_ref().unwrap().blocks[0]
            .experts
            .router;
        let grad = router
            .weight
            .val()
            .grad(&grads)
            .expect("the router learns from it");
        assert!(floats(&grad).iter().any(|g| *g != 0.0));
    }
}

#[test]
fn a_token_goes_to_as_many_experts_as_it_should() {
    for device in devices() {
        for top_k in 1..=3 {
            let mut case = pair(FusionKind::ModalityExperts);
            case.table.top_k = top_k;
            let mut tap = Recorder::default();
            case.build(&device)
                .fuse_with(case.parts(2, &device), &mut tap);
            let (shape, gates) = tap.get("blocks.0.experts.gates").unwrap();
            assert_eq!(shape, [2, 1 + 2 * TOKENS, 3]);
            for token in gates.chunks(3) {
                assert_eq!(token.iter().filter(|g| **g > 0.0).count(), top_k);
            }
        }
    }
}
