//! Texts side by side are as each alone, end by themselves, and those that beams find are those that the reference finds.

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde::Deserialize;

use super::{Finish, Prompt, Speaker, Text, generate};
use crate::{Error, Generation};

/// What comes next depends on the token before, and on how long its own text is.
struct Pairs {
    table: Vec<Vec<f32>>,
    /// Each row's text.
    rows: Vec<Vec<u32>>,
    /// How many rows were computed, over all steps.
    computed: usize,
}

impl Pairs {
    fn new(table: &[Vec<f32>], prompts: &[Vec<u32>]) -> (Self, Vec<f32>) {
        let pairs = Self {
            table: table.to_vec(),
            rows: prompts.to_vec(),
            computed: 0,
        };
        let scores = pairs.scores();
        (pairs, scores)
    }

    fn scores(&self) -> Vec<f32> {
        let of = |row: &Vec<u32>| {
            let last = row.last().map_or(0, |id| *id as usize);
            let turn = row.len() % 3;
            let after = self.table[last].iter().enumerate();
            after.map(move |(id, score)| if id % 3 == turn { score + 0.5 } else { *score })
        };
        self.rows.iter().flat_map(of).collect()
    }
}

impl Speaker for Pairs {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        assert_eq!(tokens.len(), self.rows.len(), "a token a row");
        self.computed += tokens.len();
        for (row, token) in self.rows.iter_mut().zip(tokens) {
            row.push(*token);
        }
        Ok(self.scores())
    }

    fn select(&mut self, rows: &[usize], prompts: &[usize]) {
        assert_eq!(rows.len() % prompts.len(), 0, "equally many for each");
        self.rows = rows.iter().map(|row| self.rows[*row].clone()).collect();
    }
}

fn run(table: &[Vec<f32>], prompts: &[Vec<u32>], how: &Generation, room: usize) -> Vec<Text> {
    let (mut pairs, scores) = Pairs::new(table, prompts);
    let asked: Vec<Prompt> = prompts
        .iter()
        .map(|tokens| Prompt { tokens, seed: 3 })
        .collect();
    let room = vec![room; prompts.len()];
    let mut heard: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let texts = generate(&mut pairs, scores, &asked, how, &room, |i, chosen| {
        heard[i].push(chosen.id);
        ControlFlow::Continue(())
    })
    .unwrap();
    let tokens: Vec<Vec<u32>> = texts.iter().map(|text| text.tokens.clone()).collect();
    assert_eq!(tokens, heard, "what is told is what was generated");
    if how.num_beams == 1 {
        let steps = texts.iter().map(|text| text.tokens.len().saturating_sub(1));
        assert_eq!(
            pairs.computed,
            steps.sum::<usize>(),
            "nothing for who has ended"
        );
    }
    texts
}

fn table() -> impl Strategy<Value = Vec<Vec<f32>>> {
    proptest::collection::vec(proptest::collection::vec(-2.0f32..2.0, 6), 6)
}

proptest! {
    #[test]
    fn side_by_side_is_each_alone(
        table in table(),
        prompts in proptest::collection::vec(proptest::collection::vec(0u32..6, 1..4), 1..5),
        sample in any::<bool>(),
        beams in 1usize..4,
        room in 0usize..9,
    ) {
        let how = Generation {
            sample: sample && beams == 1,
            num_beams: beams,
            eos_token_id: vec![5],
            top_k: 0,
            ..Generation::default()
        };
        let together = run(&table, &prompts, &how, room);
        for (prompt, text) in prompts.iter().zip(together) {
            let alone = run(&table, std::slice::from_ref(prompt), &how, room).remove(0);
            prop_assert!(text.tokens.len() <= room);
            prop_assert_eq!(text.tokens.last() == Some(&5), text.finish == Finish::End);
            prop_assert_eq!(text, alone);
        }
    }
}

#[test]
fn whoever_listens_may_have_heard_enough() {
    let table = vec![vec![0.0, 1.0, 2.0]; 3];
    let prompts = [vec![0], vec![1]];
    let (mut pairs, scores) = Pairs::new(&table, &prompts);
    let asked = prompts.each_ref().map(|tokens| Prompt { tokens, seed: 0 });
    let how = Generation {
        max_new_tokens: Some(4),
        ..Generation::default()
    };
    let mut first = 0;
    let texts = generate(&mut pairs, scores, &asked, &how, &[9, 9], |i, _| {
        first += usize::from(i == 0);
        match i == 0 && first == 2 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let ends: Vec<_> = texts
        .unwrap()
        .iter()
        .map(|text| (text.tokens.len(), text.finish))
        .collect();
    assert_eq!(ends, [(2, Finish::Stopped), (4, Finish::Length)]);
}

#[test]
fn settings_of_beams_that_cannot_work_are_named() {
    for (text, said) in [
        ("{\"num_beams\": 0}", "num_beams = 0: it must be 1 to 1024"),
        ("{\"num_beams\": 9999}", "num_beams = 9999"),
        (
            "{\"num_beams\": 2, \"do_sample\": true}",
            "nothing is drawn",
        ),
        ("{\"early_stopping\": \"soon\"}", "early_stopping"),
    ] {
        let error = Generation::from_json(text).unwrap_err().to_string();
        assert!(
            error.contains(said) && !error.contains('\n'),
            "{text}: {error}"
        );
    }
    let how = Generation::from_json("{\"num_beams\": 3, \"early_stopping\": \"never\"}").unwrap();
    assert!(
        how.search()
            .is_some_and(|search| search.early == super::Early::Never)
    );
}

/// Texts that Transformers' `generate` finds with a model of pairs of tokens.
#[derive(Deserialize)]
struct Case {
    settings: serde_json::Value,
    table: Vec<Vec<f32>>,
    prompt: Vec<u32>,
    expected: Vec<u32>,
}

/// The reference's model of pairs, which looks at the token before alone.
struct Table {
    table: Vec<Vec<f32>>,
}

impl Speaker for Table {
    type Error = Error;

    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        let of = |id: &u32| self.table[*id as usize].clone();
        Ok(tokens.iter().flat_map(of).collect())
    }

    fn select(&mut self, _rows: &[usize], _prompts: &[usize]) {}
}

#[test]
fn beams_find_what_the_reference_finds() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../tests/fixtures/beams.json")).unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let how = Generation::from_json(&case.settings.to_string()).unwrap();
        let mut table = Table { table: case.table };
        let last = [*case.prompt.last().unwrap()];
        let scores = table.step(&last).unwrap();
        let prompt = Prompt {
            tokens: &case.prompt,
            seed: 0,
        };
        let go_on = |_, _: &_| ControlFlow::Continue(());
        let text = generate(&mut table, scores, &[prompt], &how, &[1000], go_on);
        let found = text.unwrap().remove(0).tokens;
        assert_eq!(found, case.expected, "{} {:?}", case.settings, case.prompt);
    }
}
