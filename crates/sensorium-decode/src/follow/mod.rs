//! Texts side by side, token after token: what has to be computed for all of them is computed at once, and whoever has ended is no
//! longer computed.

mod beams;
mod generate;
#[cfg(test)]
mod tests;

pub use beams::{Beam, Beams, Early, Search};
pub use generate::{Finish, Prompt, Text, generate};

use crate::Error;

/// What says how likely each token is to be next, for texts side by side: a model with what it remembers of them. A row is a text
/// that is followed; a prompt may have several, which then follow each other.
pub trait Speaker {
    /// Why it cannot go on.
    type Error: From<Error>;

    /// The next token of each row joins it; the scores of those after it, `[rows * vocabulary]`.
    ///
    /// # Errors
    /// If it cannot go on.
    fn step(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Self::Error>;

    /// Goes on with these rows alone, in this order, of which one may be taken more than once; and with these of the prompts,
    /// each of which then has equally many of the rows.
    fn select(&mut self, rows: &[usize], prompts: &[usize]);
}

/// How a text goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// After which of the texts that were followed.
    pub from: usize,
    /// With which token.
    pub token: u32,
}

/// What chooses the tokens after one prompt.
pub trait Chooses {
    /// Reads, and changes, the scores of the token after each of its texts, `[texts * vocabulary]`; says how they go on,
    /// which is as many texts for each prompt, or nothing once all is said.
    ///
    /// # Errors
    /// [`Error::NoScore`] if there is nothing that could be chosen.
    fn choose(&mut self, scores: &mut [f32]) -> Result<Option<Vec<Next>>, Error>;
}

/// Lets each of `choosers` choose after its prompt until all is said. `scores` are those after the prompts, `[prompts *
/// vocabulary]`.
///
/// # Errors
/// As [`Speaker::step`] and [`Chooses::choose`].
pub fn follow<S: Speaker, C: Chooses>(
    speaker: &mut S,
    mut scores: Vec<f32>,
    choosers: &mut [C],
) -> Result<(), S::Error> {
    let mut going: Vec<usize> = (0..choosers.len()).collect();
    let mut texts = 1; // of each prompt
    while !going.is_empty() {
        let share = scores.len() / going.len();
        let mut stay = Vec::with_capacity(going.len());
        let (mut rows, mut tokens) = (Vec::new(), Vec::new());
        let places = going.iter().zip(scores.chunks_exact_mut(share.max(1)));
        for (place, (i, scores)) in places.enumerate() {
            if let Some(chosen) = choosers[*i].choose(scores)? {
                stay.push(place);
                rows.extend(chosen.iter().map(|next| place * texts + next.from));
                tokens.extend(chosen.iter().map(|next| next.token));
            }
        }
        if stay.is_empty() {
            break;
        }
        if !rows.iter().copied().eq(0..going.len() * texts) {
            speaker.select(&rows, &stay);
        }
        going = stay.iter().map(|place| going[*place]).collect();
        texts = rows.len() / going.len();
        scores = speaker.step(&tokens)?;
    }
    Ok(())
}
