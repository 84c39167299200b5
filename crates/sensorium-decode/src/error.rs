//! What can be wrong with settings and scores.

/// Why no text comes out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot work.
    #[error("{key} = {value}: {way_out}")]
    Setting {
        /// Its name, as in `generation_config.json`.
        key: &'static str,
        /// What it is.
        value: String,
        /// What would be right.
        way_out: &'static str,
    },
    /// A file that is no table of settings.
    #[error("generation_config.json: {reason}")]
    File {
        /// What is wrong, and where.
        reason: String,
    },
    /// Settings that would change the text, and that nothing here follows.
    #[error(
        "generation_config.json asks for {keys}, which is not known here: leave it out for another text, or generate it elsewhere"
    )]
    Unknown {
        /// Their names.
        keys: String,
    },
    /// A chat template that cannot be read or followed, or that refuses the messages.
    #[error("chat template: {reason}")]
    Template {
        /// What is wrong, and on which line.
        reason: String,
    },
    /// Scores of which none can be chosen.
    #[error(
        "after {tokens} tokens the model gives no score that is a number: its weights or its input are broken"
    )]
    NoScore {
        /// How many tokens there are, the prompt counted.
        tokens: usize,
    },
}
