//! What `sensorium generate` and `sensorium chat` take.

use std::path::PathBuf;

use clap::Args;
use sensorium_decode::Generation;

/// `sensorium generate`
#[derive(Clone, Debug, Args)]
pub struct GenerateArgs {
    /// A folder in the hub's layout, or a hub's model: owner/name, or owner/name@revision.
    #[arg(long, value_name = "M")]
    pub model: String,
    /// Texts that are gone on with, side by side; `-` reads them from standard input, one a line.
    #[arg(long, value_name = "S", num_args = 1.., required = true)]
    pub prompt: Vec<String>,
    /// Pictures, for a model that reads them: they stand where the prompt has the model's mark for one, such as <image>, or before it.
    #[arg(long, value_name = "F", num_args = 1..)]
    pub image: Vec<PathBuf>,
    /// Take each prompt for what a person says, and answer it, as the model's chat template has it.
    #[arg(long)]
    pub chat: bool,
    /// What the model is told before the person says anything.
    #[arg(long, value_name = "S", requires = "chat")]
    pub system: Option<String>,
    #[command(flatten)]
    pub how: HowArgs,
}

/// `sensorium chat`
#[derive(Clone, Debug, Args)]
pub struct ChatArgs {
    /// A folder in the hub's layout, or a hub's model: owner/name, or owner/name@revision.
    #[arg(long, value_name = "M")]
    pub model: String,
    /// Pictures that are shown with the first thing that is said.
    #[arg(long, value_name = "F", num_args = 1..)]
    pub image: Vec<PathBuf>,
    /// What the model is told before anybody says anything.
    #[arg(long, value_name = "S")]
    pub system: Option<String>,
    #[command(flatten)]
    pub how: HowArgs,
}

/// How tokens are chosen, where it is not as the model's `generation_config.json` says.
#[derive(Clone, Debug, Args)]
pub struct HowArgs {
    /// How many tokens are generated at the most [default: what the model's files say, or 256].
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// Draw tokens at this temperature: below 1 the likely become likelier, and 0 takes the likeliest.
    #[arg(long, value_name = "T", conflicts_with = "greedy")]
    pub temperature: Option<f32>,
    /// Draw among so many of the likeliest; 0 for all.
    #[arg(long, value_name = "K", conflicts_with = "greedy")]
    pub top_k: Option<usize>,
    /// Draw among the likeliest that together have this probability.
    #[arg(long, value_name = "P", conflicts_with = "greedy")]
    pub top_p: Option<f32>,
    /// Draw among those at least this share as likely as the likeliest.
    #[arg(long, value_name = "P", conflicts_with = "greedy")]
    pub min_p: Option<f32>,
    /// Take the likeliest token each time.
    #[arg(long)]
    pub greedy: bool,
    /// Follow so many texts side by side, and keep the likeliest.
    #[arg(long, value_name = "N", conflicts_with_all = ["temperature", "top_k", "top_p", "min_p"])]
    pub beam: Option<usize>,
    /// What scores of tokens that have been are divided by; 1 for nothing.
    #[arg(long, value_name = "X")]
    pub repetition_penalty: Option<f32>,
    /// What is taken off a token's score for each time it was generated.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub frequency_penalty: Option<f32>,
    /// End a text before this string; may be given more than once.
    #[arg(long, value_name = "S")]
    pub stop: Vec<String>,
    /// Of what is drawn.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl HowArgs {
    /// The model's own settings with what was asked for instead.
    pub fn over(&self, own: &Generation) -> Generation {
        let asks = self.top_k.is_some() || self.top_p.is_some() || self.min_p.is_some();
        let sample = match self.temperature {
            Some(temperature) => temperature > 0.0,
            None => !self.greedy && self.beam.is_none() && (own.sample || asks),
        };
        let stops = match self.stop.is_empty() {
            true => own.stop_strings.clone(),
            false => self.stop.clone(),
        };
        Generation {
            sample,
            temperature: self.temperature.unwrap_or(own.temperature),
            top_k: self.top_k.unwrap_or(own.top_k),
            top_p: self.top_p.unwrap_or(own.top_p),
            min_p: self.min_p.unwrap_or(own.min_p),
            num_beams: match (self.beam, sample || self.greedy) {
                (Some(beam), _) => beam,
                (None, true) => 1,
                (None, false) => own.num_beams,
            },
            repetition_penalty: self.repetition_penalty.unwrap_or(own.repetition_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(own.frequency_penalty),
            max_new_tokens: self.max_new_tokens.or(own.max_new_tokens),
            stop_strings: stops,
            ..own.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Asked {
        #[command(flatten)]
        how: HowArgs,
    }

    fn over(own: &Generation, args: &str) -> Generation {
        let args = ["test"].into_iter().chain(args.split_whitespace());
        Asked::parse_from(args).how.over(own)
    }

    #[test]
    fn what_is_asked_for_goes_before_what_the_model_says() {
        let own = Generation {
            max_new_tokens: Some(7),
            num_beams: 2,
            ..Generation::default()
        };
        assert_eq!(over(&own, ""), own);
        let drawn = over(&own, "--temperature 0.5 --top-k 3");
        assert!(drawn.sample && drawn.num_beams == 1 && drawn.top_k == 3);
        let likeliest = over(&own, "--temperature 0");
        assert!(!likeliest.sample && likeliest.num_beams == 2);
        assert_eq!(over(&own, "--greedy").num_beams, 1);
        let own = Generation {
            eos_token_id: vec![2],
            ..Generation::sampled(0.6)
        };
        assert!(over(&own, "").sample && !over(&own, "--greedy").sample);
        assert!(over(&Generation::default(), "--top-p 0.9").sample);
        let beams = over(&own, "--beam 4 --stop a --stop b");
        assert!(!beams.sample && beams.num_beams == 4 && beams.eos_token_id == [2]);
        assert_eq!(beams.stop_strings, ["a", "b"]);
        assert!(beams.validate().is_ok());
    }
}
