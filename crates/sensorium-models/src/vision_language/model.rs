//! Text with images in it to the logits of what is next.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use sensorium_core::nn::Layout;
use sensorium_core::tap::in_layer;
use sensorium_core::{NoTap, Tap, Tokens};

use super::laid::Places;
use super::{Features, ImageFeatures};
use crate::Error;
use crate::causal::{CausalLm, Kept, Rows, Speaking};

/// What sees images and what goes on with text: the vectors of the first stand in the places for images of the second. What sees is
/// one of the families' towers, or [anything else](Self::composed) that gives [`Features`].
///
/// Prompts are tokens in which each image has as many places, all of one token, as it has vectors; images are given in the
/// order in which they stand there, those of the first prompt first. Prompts of several lengths are padded in front.
///
/// ```
/// use burn::tensor::Tensor;
/// use sensorium_models::vision_language::llava::LlavaImagesConfig;
/// use sensorium_models::vision_language::{ImageFeaturesConfig, Images, VisionLanguageConfig};
///
/// let device = sensorium_runtime::open("flex".parse()?)?;
/// let images = ImageFeaturesConfig::Llava(LlavaImagesConfig::debug());
/// let config = VisionLanguageConfig::debug(images);
/// let model = config.init(&device);
///
/// // An image of four vectors, and a text alone.
/// let image = config.image_token as u32;
/// let prompts: [&[u32]; 2] = [&[1, image, image, image, image, 5], &[1, 5, 7]];
/// let pixels = Tensor::zeros([1, 3, 8, 8], &device);
/// let logits = model.forward(&prompts, Some(Images::Pixels(pixels)))?;
/// assert_eq!(logits.dims(), [2, 6, 24]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct VisionLanguage<F: Features = ImageFeatures> {
    /// What sees.
    pub images: F,
    /// What goes on.
    pub text: CausalLm,
    #[module(skip)]
    pub(super) image_token: u32,
    /// How many patches a side are one vector, where the images' vectors stand on axes of their own.
    #[module(skip)]
    pub(super) axes: Option<usize>,
}

/// Prompts with their images' vectors in place.
struct Laid {
    /// `[prompts, tokens, d_text]`
    embeds: Tensor<3>,
    /// `[prompts, tokens]`, true at the padding before the shorter ones.
    pad: Tensor<2, Bool>,
    /// How many tokens of padding stand before each.
    before: Vec<usize>,
    /// Where they stand, if not one after the other.
    places: Option<Places>,
}

impl<F: Features> VisionLanguage<F> {
    /// Logits of the token after each of the prompts': `[prompts, tokens, vocab_size]`, padding in front.
    ///
    /// # Errors
    /// [`Error::Prompt`] for a prompt without a token, with more of them than the model has positions, or with one that it does not
    /// know, and [`Error::Images`] if images and their places do not fit.
    ///
    /// # Panics
    /// If the images are not such as the model takes.
    pub fn forward(
        &self,
        prompts: &[&[u32]],
        images: Option<F::Input>,
    ) -> Result<Tensor<3>, Error> {
        self.forward_with(prompts, images, &mut NoTap)
    }

    /// The same, showing under `images` and `text.model` what these show, and `logits`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_with<T: Tap>(
        &self,
        prompts: &[&[u32]],
        images: Option<F::Input>,
        tap: &mut T,
    ) -> Result<Tensor<3>, Error> {
        let Laid {
            embeds,
            pad,
            places,
            ..
        } = self.lay_with(prompts, images, tap)?;
        let [_, longest, _] = embeds.dims();
        let layout = Layout {
            positions: places.map(|places| places.part(0, longest)),
            segments: None,
        };
        let tokens = in_layer(tap, "text.model", |tap| {
            let tokens = Tokens::new(embeds, pad);
            self.text.model.forward_in_with(tokens, &layout, tap)
        });
        Ok(tap.tensor("logits", self.text.logits(tokens.embeds)))
    }

    /// How far the model is from saying the answers: the mean of what each token costs, `[1]`. `answers` are the prompts again,
    /// with `None` for each token that is not to be learnt: questions, images, what a template puts around them.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`Error::Prompt`] for an answer that is not as long as its prompt, and if there is no token
    /// to learn.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn loss(
        &self,
        prompts: &[&[u32]],
        answers: &[&[Option<u32>]],
        images: Option<F::Input>,
    ) -> Result<Tensor<1>, Error> {
        let vocab_size = self.text.model.token.weight.dims()[0];
        let wanted = Wanted::new(prompts, answers, vocab_size)?;
        let logits = self.forward(prompts, images)?;
        let [rows, longest, _] = logits.dims();
        let logits = logits.reshape([rows * longest, vocab_size]); // [R, T, V] -> [R*T, V]
        Ok(wanted.cost(logits))
    }

    /// Reads prompts side by side, with room for `most` tokens after each; what answers them, and the scores of the token after
    /// each, `[prompts * vocab_size]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn read(
        &self,
        prompts: &[&[u32]],
        images: Option<F::Input>,
        most: usize,
    ) -> Result<(Speaking<'_>, Vec<f32>), Error> {
        let laid = self.lay_with(prompts, images, &mut NoTap)?;
        let [_, longest, _] = laid.embeds.dims();
        let next = laid.places.as_ref().map(|places| places.next.clone());
        let part = |from: usize, to: usize| {
            let vectors = laid.embeds.clone().narrow(1, from, to - from);
            let at = laid.places.as_ref().map(|places| places.part(from, to));
            (vectors, at)
        };
        let text = &self.text;
        Ok(text.read_vectors(&laid.before, longest, most, next, part))
    }

    /// Reads one prompt from its token `from` on, up to which a text that was [kept](Speaking::kept) begins alike: the same as reading it
    /// whole, sooner. `images` are those whose places stand there; `grids` are of all of the prompt's images, where their vectors stand on
    /// axes of their own.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); what was kept then stays.
    ///
    /// # Panics
    /// If the prompt does not begin alike so far, or the images are not such as the model takes.
    pub fn read_on(
        &self,
        kept: &mut Option<Kept>,
        from: usize,
        prompt: &[u32],
        grids: &[[usize; 3]],
        images: Option<F::Input>,
        most: usize,
    ) -> Result<(Speaking<'_>, Vec<f32>), Error> {
        self.text.check(&[prompt])?;
        let alike = kept.as_ref().map_or(0, |kept| kept.in_common(prompt));
        assert!(from <= alike, "{alike} tokens are alike, and not {from}");
        let places = |merge| Places::new(&Rows::new(&[prompt]), self.image_token, grids, merge);
        let places = self.axes.map(places).transpose()?;
        let features = images.map(|images| self.images.features_with(images, &mut NoTap));
        let rest = [&prompt[from..]];
        let rows = Rows::new(&rest);
        let tokens = rows.ids(&self.text.model.device());
        let tokens = self.text.model.token.forward(tokens);
        let embeds = rows.merged(self.image_token, tokens, features)?;
        let next = places.as_ref().map(|places| places.next.clone());
        let part = |start: usize, end: usize| {
            let vectors = embeds.clone().narrow(1, start - from, end - start);
            let at = places.as_ref().map(|places| places.part(start, end));
            (vectors, at)
        };
        let text = &self.text;
        Ok(text.read_vectors_on(kept.take(), from, prompt, most, next, part))
    }

    /// The token that stands in images' places.
    pub fn image_token(&self) -> u32 {
        self.image_token
    }

    /// Prompts with their images' vectors in place.
    fn lay_with<T: Tap>(
        &self,
        prompts: &[&[u32]],
        images: Option<F::Input>,
        tap: &mut T,
    ) -> Result<Laid, Error> {
        self.text.check(prompts)?;
        let rows = Rows::new(prompts);
        let grids = images.as_ref().map(F::grids).unwrap_or_default();
        let places = |merge| Places::new(&rows, self.image_token, grids, merge);
        let places = self.axes.map(places).transpose()?;
        let features = images
            .map(|images| in_layer(tap, "images", |tap| self.images.features_with(images, tap)));
        let device = self.text.model.device();
        let tokens = self.text.model.token.forward(rows.ids(&device));
        Ok(Laid {
            embeds: rows.merged(self.image_token, tokens, features)?,
            pad: rows.pad(&device),
            before: rows.before.clone(),
            places,
        })
    }
}

/// Which logits are to say which tokens.
struct Wanted {
    /// Among those of all rows, `[rows * longest]`.
    places: Vec<i64>,
    tokens: Vec<i64>,
}

impl Wanted {
    fn new(
        prompts: &[&[u32]],
        answers: &[&[Option<u32>]],
        vocab_size: usize,
    ) -> Result<Self, Error> {
        let refuse = |sample, problem| Err(Error::Prompt { sample, problem });
        if prompts.len() != answers.len() {
            let problem = format!(
                "is one of {} prompts, but there are {} answers",
                prompts.len(),
                answers.len()
            );
            return refuse(prompts.len().min(answers.len()), problem);
        }
        let rows = Rows::new(prompts);
        let (mut places, mut tokens) = (Vec::new(), Vec::new());
        for (sample, answer) in answers.iter().enumerate() {
            let length = prompts[sample].len();
            if answer.len() != length {
                let problem = format!(
                    "has {length} tokens, but its answer {}: give None for those that are not to be learnt",
                    answer.len()
                );
                return refuse(sample, problem);
            }
            // What stands before a token says it; nothing stands before the first.
            for (at, token) in answer.iter().enumerate().skip(1) {
                let Some(token) = token else { continue };
                if *token as usize >= vocab_size {
                    let problem =
                        format!("is to say token {token}, and the model knows {vocab_size}");
                    return refuse(sample, problem);
                }
                places.push((sample * rows.longest + rows.before[sample] + at - 1) as i64);
                tokens.push(i64::from(*token));
            }
        }
        if tokens.is_empty() {
            let problem = "has no token that is to be learnt, nor has another".to_owned();
            return refuse(0, problem);
        }
        Ok(Self { places, tokens })
    }

    /// The mean of what each token costs, of logits `[rows * longest, vocab_size]`.
    fn cost(self, logits: Tensor<2>) -> Tensor<1> {
        let device = logits.device();
        let count = self.tokens.len();
        let places = Tensor::<1, Int>::from_data(self.places.as_slice(), &device);
        let tokens = TensorData::new(self.tokens, [count, 1]);
        let tokens = Tensor::<2, Int>::from_data(tokens, &device);
        let log_p = log_softmax(logits.select(0, places), 1); // [N, V]
        log_p.gather(1, tokens).mean().neg()
    }
}
