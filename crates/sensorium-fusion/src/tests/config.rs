//! The table `[fusion]`: every kind can be named, and what cannot work is refused with what to change.

use sensorium_testkit::devices;

use super::*;

#[test]
fn kinds_have_names_of_their_own_and_are_read_by_them() {
    for kind in FusionKind::ALL {
        let json = serde_json::to_value(kind).unwrap();
        assert_eq!(json, kind.name());
        assert_eq!(serde_json::from_value::<FusionKind>(json).unwrap(), *kind);
        let twins = FusionKind::ALL.iter().filter(|k| k.name() == kind.name());
        assert_eq!(twins.count(), 1);
        let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(kind.name().chars().all(kebab), "{}", kind.name());
    }
}

#[test]
fn every_key_is_of_some_kind_and_every_kind_knows_its_keys() {
    let whole = FusionConfig {
        main: Some("text".to_owned()),
        d_ff: Some(1),
        n_latents: Some(1),
        ..FusionConfig::default()
    };
    let all = serde_json::to_value(whole).unwrap();
    let all: Vec<&String> = all.as_object().unwrap().keys().collect();
    for key in &all {
        assert!(FusionKind::ALL.iter().any(|k| k.looks_at(key)), "{key}");
    }
    for kind in FusionKind::ALL {
        for key in kind.keys() {
            assert!(all.iter().any(|known| *known == key), "{key}");
        }
    }
}

#[test]
fn the_book_names_every_kind_and_every_key() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/");
    for page in ["fusion.md", "recipes.md"] {
        let text = std::fs::read_to_string(format!("{root}{page}")).unwrap();
        for kind in FusionKind::ALL {
            let (plain, quoted) = (
                format!("`{}`", kind.name()),
                format!("`\"{}\"`", kind.name()),
            );
            assert!(
                text.contains(&plain) || text.contains(&quoted),
                "{page}: {plain}"
            );
            for key in kind.keys().filter(|_| page == "recipes.md") {
                assert!(text.contains(&format!("`{key}`")), "{page}: {key}");
            }
        }
    }
}

#[track_caller]
fn check(
    change: impl FnOnce(&mut FusionConfig),
    kind: FusionKind,
    modalities: usize,
    expected: &str,
) {
    let mut table = small(kind);
    change(&mut table);
    let error = table
        .build(&WIDTHS[..modalities], &devices()[0])
        .unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    use FusionKind as K;
    check(
        |t| t.d_model = 9,
        K::Transformer,
        3,
        "d_model: 9 must be a multiple of n_heads = 2",
    );
    check(
        |t| t.d_model = 0,
        K::Sum,
        3,
        "d_model: 0 must be 1 to 65536",
    );
    check(
        |t| t.n_layers = 0,
        K::Mult,
        3,
        "n_layers: 0 must be 1 to 512",
    );
    check(
        |t| t.n_heads = 0,
        K::CoAttention,
        3,
        "n_heads: 0 must be 1 to 1024",
    );
    check(
        |t| t.rank = 0,
        K::LowRankTensor,
        3,
        "rank: 0 must be 1 to 4096",
    );
    check(
        |t| t.n_chunks = 3,
        K::Block,
        2,
        "n_chunks: 3 must divide d_factor = 4",
    );
    check(
        |t| t.top_k = 4,
        K::ModalityExperts,
        2,
        "top_k: 4 must be 1 to n_experts = 3",
    );
    check(
        |t| t.n_latents = Some(0),
        K::Perceiver,
        2,
        "n_latents: 0 must be 1 to 65536",
    );
    check(
        |t| t.dropout = f64::NAN,
        K::Bottleneck,
        2,
        "dropout: NaN must be at least 0",
    );
    check(
        |t| t.balance = -1.0,
        K::ModalityExperts,
        2,
        "balance: -1 must be 0 to 1000000",
    );
}

#[test]
fn numbers_that_multiply_to_too_many_are_named() {
    use FusionKind as K;
    check(
        |t| (t.d_factor, t.rank) = (4096, 4096),
        K::Mutan,
        2,
        "rank: 4096 times 4096² features are too many: lower it, or d_factor",
    );
    check(
        |t| (t.d_model, t.n_experts) = (65_536, 1024),
        K::ModalityExperts,
        2,
        "n_experts: 1024 times d_model = 65536 times d_ff = 262144 are too many: lower one of them",
    );
    check(
        |t| t.d_factor = 4096,
        K::Tensor,
        3,
        "d_factor: (4096 + 1)^3 features times d_model = 8 are too many: lower d_factor, or choose \"low-rank-tensor\"",
    );
}

#[test]
fn modalities_that_a_kind_cannot_join_are_refused_with_what_could() {
    use FusionKind as K;
    check(
        |_| (),
        K::CoAttention,
        1,
        "kind: \"co-attention\" joins 2 modalities or more, and there is text alone: add an encoder, or choose one of concat, sum,",
    );
    check(
        |_| (),
        K::Mutan,
        3,
        "kind: \"mutan\" joins two modalities, and there are 3 (text, image, audio): leave out an encoder, or choose one of concat,",
    );
    check(
        |t| t.main = None,
        K::Film,
        2,
        "main: \"film\" must be told which modality the others inform: set it to one of text, image",
    );
    check(
        |t| t.main = Some("audio".to_owned()),
        K::CrossAttention,
        2,
        "main: \"audio\" is none of the modalities: set it to one of text, image",
    );
    check(
        |_| (),
        K::Concat,
        0,
        "kind: \"concat\" joins 1 modalities or more, and there is none",
    );
}

#[test]
fn numbers_that_do_not_count_are_not_looked_at() {
    let device = &devices()[0];
    for kind in FusionKind::ALL {
        let mut table = small(*kind);
        for (key, value) in [
            ("n_heads", &mut table.n_heads),
            ("n_layers", &mut table.n_layers),
            ("rank", &mut table.rank),
            ("d_factor", &mut table.d_factor),
            ("n_chunks", &mut table.n_chunks),
            ("n_experts", &mut table.n_experts),
        ] {
            if !kind.looks_at(key) {
                *value = 0;
            }
        }
        let built = table.build(&WIDTHS[..2], device);
        assert!(built.is_ok(), "{}: {:?}", kind.name(), built.err());
    }
}

#[test]
fn a_weight_that_no_machine_holds_is_refused_before_it_is_made() {
    let table = FusionConfig {
        d_model: 65_536,
        ..small(FusionKind::Multiplicative)
    };
    let error = table
        .build(&[(TEXT, 4096), (IMAGE, 4096)], &devices()[0])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "d_model: 65536 and encoders of 4096 and 4096 features make a weight of 1099511627776 numbers, more than 268435456: make \
         them narrower"
    );
}
