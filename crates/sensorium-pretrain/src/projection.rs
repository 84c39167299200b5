//! Two views of a sample that are to be told from those of others.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use sensorium_core::nn::{Pool, PoolConfig, PoolKind, linear};
use sensorium_core::{Encoder, Tokens, need};
use sensorium_train::{Compared, Learned, Loss, NtXent, Objective, Others, Pairs, Side};

use crate::{Error, Pretext};

/// Configuration of a [`ProjectionHead`].
#[derive(Clone, Debug)]
pub struct ProjectionHeadConfig {
    d_model: usize,
    d_embed: usize,
    d_hidden: Option<usize>,
    pool: PoolKind,
}

impl ProjectionHeadConfig {
    /// From tokens of a width to vectors of another, by their mean and a hidden layer as wide as they are. The paper's
    /// vectors have 128 features.
    pub fn new(d_model: usize, d_embed: usize) -> Self {
        Self {
            d_model,
            d_embed,
            d_hidden: None,
            pool: PoolKind::Mean,
        }
    }

    /// Width of the hidden layer.
    pub fn with_d_hidden(mut self, d_hidden: usize) -> Self {
        self.d_hidden = Some(d_hidden);
        self
    }

    /// How tokens become one vector.
    pub fn with_pool(mut self, pool: PoolKind) -> Self {
        self.pool = pool;
        self
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// The key, and what would be right.
    pub fn validate(&self) -> Result<(), Error> {
        let d_hidden = self.d_hidden.unwrap_or(self.d_model);
        let widths = [
            ("d_model", self.d_model),
            ("d_embed", self.d_embed),
            ("d_hidden", d_hidden),
        ];
        for (key, width) in widths {
            need((1..=1 << 20).contains(&width), key, || {
                format!("{width} must be 1 to {}", 1 << 20)
            })?;
        }
        Ok(())
    }

    /// A freshly initialised head.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would refuse it.
    pub fn init(&self, device: &Device) -> ProjectionHead {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let d_hidden = self.d_hidden.unwrap_or(self.d_model);
        ProjectionHead {
            pool: PoolConfig::new(self.pool, self.d_model).init(device),
            hidden: LinearConfig::new(self.d_model, d_hidden).init(device),
            output: LinearConfig::new(d_hidden, self.d_embed).init(device),
        }
    }
}

/// SimCLR's projection head (arXiv 2002.05709, section 2.1): W₂ · ReLU(W₁ · h). The loss is taken on what it gives, and what is
/// kept is the encoder before it.
///
/// # Differs from the paper
/// h is the mean of the tokens that are not padding, unless another pool is asked for. There is no batch norm, which the
/// authors' code has and the paper's equation has not: a sample does not depend on its neighbours.
#[derive(Module, Debug)]
pub struct ProjectionHead {
    /// Tokens to one vector.
    pub pool: Pool,
    /// `d_model` → `d_hidden`, with a ReLU.
    pub hidden: Linear,
    /// `d_hidden` → `d_embed`
    pub output: Linear,
}

impl ProjectionHead {
    /// `[batch, tokens, d_model]` → `[batch, d_embed]`, of whatever length.
    pub fn forward(&self, tokens: Tokens) -> Tensor<2> {
        let pooled = self.pool.forward(tokens);
        linear(&self.output, relu(linear(&self.hidden, pooled)))
    }
}

/// Learning from two views of each sample (SimCLR, arXiv 2002.05709): [`NtXent`] of what a [`ProjectionHead`] gives.
///
/// The views must differ in what does not matter, and the batch must be large, since all others in it are the wrong answers.
/// A sample that lacks a view takes no part.
#[derive(Module, Debug)]
pub struct TwoViews {
    /// On the tokens of either view.
    pub head: ProjectionHead,
    /// What is minimised.
    pub objective: NtXent,
}

impl TwoViews {
    /// With a head and a temperature; the paper's best are 0.1 for large batches and long training, 0.5 for small ones.
    ///
    /// # Panics
    /// If the temperature is below 0.01 or not finite.
    pub fn new(head: ProjectionHead, temperature: f64) -> Self {
        Self {
            head,
            objective: NtXent::new(temperature),
        }
    }

    /// The loss of two views of the same samples.
    ///
    /// # Panics
    /// If they are not as many.
    pub fn loss<E: Encoder>(&self, encoder: &E, first: E::Batch, second: E::Batch) -> Loss {
        let [first, second] = [first, second].map(|view| encoder.encode(view));
        self.loss_of_tokens(first, second)
    }

    /// The loss of what an encoder made of two views of the same samples: `[batch, tokens, d_model]` each.
    ///
    /// # Panics
    /// If they are not as many.
    pub fn loss_of_tokens(&self, first: Tokens, second: Tokens) -> Loss {
        self.loss_of([first, second].map(|view| self.side(view)))
    }

    /// What samples are compared by: what the head gives of either view.
    pub fn compared(&self, first: Tokens, second: Tokens) -> Compared {
        let [rows, _, _] = first.dims();
        let sides = VIEWS.into_iter().zip([first, second]);
        Compared::new(
            rows,
            sides.map(|(name, view)| (name.to_owned(), self.side(view))),
        )
    }

    /// The loss of a whole batch of which these samples are a part, see [`Learner::learn_among`](sensorium_train::Learner::learn_among).
    ///
    /// # Panics
    /// If there are not as many of one view as of the other.
    pub fn loss_among(&self, first: Tokens, second: Tokens, others: &Others) -> Loss {
        let mut sides = others.around(self.compared(first, second));
        self.loss_of(VIEWS.map(|name| sides.remove(name).expect("both views are there")))
    }

    fn side(&self, view: Tokens) -> Side {
        let present = view.present();
        Side {
            vectors: self.head.forward(view),
            present,
        }
    }

    fn loss_of(&self, [first, second]: [Side; 2]) -> Loss {
        let both = first.present.bool_and(second.present);
        let pairs = Pairs::new(first.vectors, second.vectors);
        self.objective.loss(pairs, Some(both))
    }
}

const VIEWS: [&str; 2] = ["first", "second"];

impl<E: Encoder> Pretext<E> for TwoViews {
    /// The other view.
    type Target = E::Batch;

    fn learn(&self, encoder: &E, first: E::Batch, second: E::Batch) -> Learned {
        Learned::new(self.loss(encoder, first, second))
    }

    fn compared(&self, encoder: &E, first: E::Batch, second: E::Batch) -> Option<Compared> {
        let [first, second] = [first, second].map(|view| encoder.encode(view));
        Some(self.compared(first, second))
    }

    fn learn_among(
        &self,
        encoder: &E,
        first: E::Batch,
        second: E::Batch,
        others: &Others,
    ) -> Learned {
        let [first, second] = [first, second].map(|view| encoder.encode(view));
        Learned::new(self.loss_among(first, second, others))
    }
}
