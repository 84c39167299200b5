//! The recipe `av-digits`, timed where it runs: a training step as the trainer takes it (forward, backward, clipping,
//! AdamW, averaged weights, the log line), answers for one sample and for many, and preparing a sample.
//!
//! `tools/peer/av_digits.py` measures the same model in PyTorch. Losses and answers are read back inside the timed
//! region, so that no device is still at work when the clock stops.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sensorium_core::Model;
use sensorium_data::{Labels, OnError, Split};
use sensorium_recipe::{
    How, LabelSet, Labelled, Learning, Prepared, Recipe, RecipeModel, Room, Silent, TrainFeed,
    Wanted, build, prepare,
};
use sensorium_train::{
    CrossEntropy, Feed, FnFeed, NoValidation, StepLog, Supervised, Together, TrainConfig, Trainer,
    Watch,
};

/// More batches than any measurement takes: no epoch ends, so no checkpoint is written in between.
const ENDLESS: usize = 1 << 30;

struct Bench {
    recipe: Recipe,
    rows: Prepared,
    classes: usize,
}

impl Bench {
    fn open() -> Self {
        let recipe = Recipe::open("av-digits", &[]).expect("the built-in recipe is right");
        let table = sensorium_data::av_digits::embedded().expect("the embedded data is whole");
        let labels = Labels::from_rows(&table.rows).expect("rows have labels");
        let labels = LabelSet::Classes(labels);
        let train: Vec<_> = table
            .rows
            .into_iter()
            .filter(|row| row.split == Some(Split::Train))
            .collect();
        let processors = recipe
            .encoders
            .fit(
                |_| None,
                |modality| {
                    train
                        .iter()
                        .filter_map(move |row| row.inputs.get(modality.name()).cloned())
                },
            )
            .expect("hints make a vocabulary");
        let how = How {
            on_error: OnError::Fail,
            when: Default::default(),
            threads: recipe.batch.n_threads(),
            room: Room::ENDLESS,
        };
        let rows = train.into_iter().take(1024).collect();
        let rows = prepare(
            rows,
            &Arc::new(processors),
            Wanted::Label(&labels),
            how,
            &mut Silent,
        )
        .expect("embedded rows can be prepared")
        .prepared;
        Self {
            recipe,
            rows,
            classes: labels.names().len(),
        }
    }

    fn model(&self, device: &Device) -> RecipeModel {
        build(&self.recipe, &self.rows.processors, self.classes, device)
            .expect("its encoders are its own")
    }

    /// Time of `steps` steps, after one that is not counted.
    fn train(&self, device: &Device, steps: u64) -> Duration {
        let feed = self.feed(device);
        let mut batches = feed.batches(0, 0).expect("rows are prepared");
        let fed = batches
            .next()
            .expect("there is a batch")
            .expect("rows are prepared");
        let feed = FnFeed::new(ENDLESS, move |_, _| Ok(fed.clone()));
        let config = TrainConfig {
            steps: Some(steps as usize + 1),
            ..self.recipe.train.clone()
        };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let learner = Supervised::new(self.model(device), CrossEntropy::new());
        let mut clock = Clock::default();
        Trainer::new(config, folder.path())
            .run(learner, &feed, &mut NoValidation, &mut clock, device)
            .expect("the recipe trains");
        clock.span()
    }

    fn feed(&self, device: &Device) -> TrainFeed<Labelled> {
        TrainFeed {
            data_sets: Vec::new(),
            batching: Labelled::new(Learning {
                rows: self.rows.clone(),
                size: self.recipe.batch.size,
                modality_dropout: self.recipe.batch.modality_dropout,
                seed: 0,
                drawing: Default::default(),
            }),
            threads: 1,
            device: device.clone().autodiff(),
            ranks: Together::default(),
        }
    }
}

/// When the first step ended, and the last.
#[derive(Default)]
struct Clock(Option<(Instant, Instant)>);

impl Clock {
    fn span(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |(first, last)| last - first)
    }
}

impl Watch for Clock {
    fn on_step(&mut self, _: &StepLog) -> ControlFlow<()> {
        let now = Instant::now();
        self.0 = Some((self.0.map_or(now, |(first, _)| first), now));
        ControlFlow::Continue(())
    }
}

fn av_digits(criterion: &mut Criterion) {
    let bench = Bench::open();
    for device in sensorium_testkit::devices() {
        let size = bench.recipe.batch.size;
        let mut group = criterion.benchmark_group(format!("av-digits/{device:?}"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(format!("training step, {size} samples"), |b| {
            b.iter_custom(|steps| bench.train(&device, steps));
        });
        let model = bench.model(&device);
        for size in [1, 256] {
            let samples: Vec<_> = (0..size)
                .map(|row| {
                    bench
                        .rows
                        .samples(row)
                        .expect("it is prepared")
                        .expect("it is there")
                })
                .collect();
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(format!("answers, {size} samples"), |b| {
                b.iter(|| {
                    let batch = bench.rows.processors.collate(&samples, &device);
                    black_box(model.run(batch).into_data())
                });
            });
        }
        group.finish();
    }
    let processors = &bench.rows.processors;
    criterion.bench_function("av-digits/preparing a sample", |b| {
        b.iter(|| {
            black_box(
                processors
                    .process(&bench.rows.inputs(0))
                    .expect("it can be"),
            )
        });
    });
}

criterion_group!(benches, av_digits);
criterion_main!(benches);
