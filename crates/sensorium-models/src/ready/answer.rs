//! Talks about pictures: pictures and turns in, what a model that reads text with images in it answers out.

use std::ops::ControlFlow;

use burn::tensor::Device;
use sensorium_core::Source;
use sensorium_decode::{Chat, ChatTemplate, Content, Generation, Message, Part};
use sensorium_hub::Checkpoint;
use sensorium_text::Tokenizer;

use super::memory::Memory;
use super::write::{Asked, Written, generation, most_new, spoken, template};
use super::{tokenizer, unfit};
use crate::vision_language::{Pictures, PreparedImage, VisionLanguage, VisionLanguageConfig};
use crate::{Error, Published};

/// A model that answers about pictures, with its preparation, its tokenizer, its settings and, if it talks, its chat template.
///
/// ```no_run
/// # use burn::tensor::Device;
/// use std::ops::ControlFlow;
///
/// use sensorium_core::Source;
/// use sensorium_decode::{Chat, Message, Part};
/// use sensorium_hub::Checkpoint;
/// use sensorium_models::ready::Answerer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let device = Device::flex();
/// let checkpoint = Checkpoint::open("HuggingFaceTB/SmolVLM-256M-Instruct")?; // or a folder
/// let model = Answerer::open(&checkpoint, &device)?;
/// let picture = model.picture(&Source::path("photo.jpg"))?;
/// let asked = vec![Part::Image, Part::Text("What is in the picture?".to_owned())];
/// let question = model.talk(&Chat::of(&[Message::of_parts("user", asked)]), vec![picture])?;
/// let go_on = |_, _: &str| ControlFlow::Continue(());
/// let answers = model.answer(&[question], model.generation(), 0, go_on)?;
/// println!("{}", answers[0].text);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Answerer {
    name: String,
    model: VisionLanguage,
    pictures: Pictures,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    generation: Generation,
    device: Device,
}

/// What is asked: tokens in which pictures have their places, and these.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The prompt's tokens.
    pub tokens: Vec<u32>,
    /// The pictures, in the order of their places.
    pub pictures: Vec<PreparedImage>,
}

impl Question {
    /// One without pictures.
    pub(super) fn of(tokens: Vec<u32>) -> Self {
        Self {
            tokens,
            pictures: Vec::new(),
        }
    }
}

impl Answerer {
    /// Opens a checkpoint of Idefics3, SmolVLM, LLaVA or Qwen2.5-VL.
    ///
    /// # Errors
    /// If it is another model's, or a file is missing, broken or does not fit.
    pub fn open(checkpoint: &Checkpoint, device: &Device) -> Result<Self, Error> {
        let json = checkpoint.config()?;
        let family = crate::Family::of(checkpoint.name(), &json)?;
        if !family.reads_images_in_text() {
            let problem = format!(
                "{family} does not read text with images in it; Idefics3, SmolVLM, LLaVA and Qwen2.5-VL do"
            );
            return Err(unfit(checkpoint, problem));
        }
        let config = VisionLanguageConfig::parse("config.json", &json)?;
        Ok(Self {
            name: checkpoint.name().to_owned(),
            pictures: Pictures::open(checkpoint)?,
            tokenizer: tokenizer(checkpoint, "", config.text.vocab_size())?,
            template: template(checkpoint)?,
            generation: generation(checkpoint, &json)?,
            model: VisionLanguage::load(checkpoint, device)?.model,
            device: device.clone(),
        })
    }

    /// How the model's own files say that it generates.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Whether it knows how a talk is written.
    pub fn talks(&self) -> bool {
        self.template.is_some()
    }

    /// How many tokens, a prompt and what follows it, the model reads; the places of pictures count.
    pub fn max_tokens(&self) -> usize {
        self.model.text.max_positions()
    }

    /// Decodes and prepares a picture; may be called from many threads.
    ///
    /// # Errors
    /// If it cannot be read or decoded, or is too narrow.
    pub fn picture(&self, image: &Source) -> Result<PreparedImage, Error> {
        self.pictures.process(image)
    }

    /// What stands for a picture in a prompt, such as `<image>`.
    pub fn placeholder(&self) -> &'static str {
        self.pictures.placeholder()
    }

    /// A text that is to go on, with a [placeholder](Self::placeholder) for each picture.
    ///
    /// # Errors
    /// [`Error::Images`] if there are more or fewer of them than pictures.
    pub fn prompt(&self, text: &str, pictures: Vec<PreparedImage>) -> Result<Question, Error> {
        let text = self.pictures.expand(text, &pictures)?;
        let tokens = self.tokenizer.encode("the prompt", &text, usize::MAX)?;
        Ok(Question { tokens, pictures })
    }

    /// A talk that asks for an answer, with a [`Part::Image`] for each picture.
    ///
    /// # Errors
    /// If the model has no chat template, or it refuses the talk; and [`Error::Images`] if there are more or fewer images in the talk
    /// than pictures.
    pub fn talk(&self, chat: &Chat<'_>, pictures: Vec<PreparedImage>) -> Result<Question, Error> {
        let Some(template) = &self.template else {
            return Err(Error::Unfit {
                model: self.name.clone(),
                problem: "has no chat template (chat_template.jinja, chat_template.json, or chat_template in \
                          tokenizer_config.json): ask by a prompt"
                    .to_owned(),
            });
        };
        // Templates of such models know parts alone.
        let messages: Vec<Message> = chat.messages.iter().map(in_parts).collect();
        let chat = Chat {
            messages: &messages,
            ..chat.clone()
        };
        let text = self.pictures.expand(&template.render(&chat)?, &pictures)?;
        let tokens = self.tokenizer.encode_bare("the talk", &text)?;
        Ok(Question { tokens, pictures })
    }

    /// How many tokens may follow a prompt of so many.
    pub fn most_new(&self, how: &Generation, prompt: usize) -> usize {
        most_new(how, prompt, self.max_tokens())
    }

    /// What the model answers to each of some questions, side by side. `on_text` is told what is new, with the number of the
    /// question, for each token; it may say that it has heard enough.
    ///
    /// # Errors
    /// [`Error::Prompt`] naming one that cannot be read, and for settings that cannot work.
    pub fn answer(
        &self,
        questions: &[Question],
        how: &Generation,
        seed: u64,
        on_text: impl FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Written>, Error> {
        how.validate()?;
        let prompts: Vec<&[u32]> = questions.iter().map(|q| q.tokens.as_slice()).collect();
        let room: Vec<usize> = prompts
            .iter()
            .map(|p| self.most_new(how, p.len()))
            .collect();
        let most = room.iter().copied().max().unwrap_or(0);
        let pictures: Vec<PreparedImage> =
            questions.iter().flat_map(|q| q.pictures.clone()).collect();
        let images = self.pictures.collate(&pictures, &self.device);
        let (mut answering, scores) = self.model.read(&prompts, images, most)?;
        let decode = |ids: &[u32]| self.tokenizer.decode(ids).unwrap_or_default();
        let asked = Asked {
            prompts: &prompts,
            room: &room,
            how,
            seed,
        };
        spoken(&mut answering, scores, &asked, decode, on_text)
    }
}

impl Answerer {
    /// What the model answers to a question, as [`answer`](Self::answer), but that it reads only what is new since the question before: a
    /// talk that goes on begins with what has been said, and with the pictures that have been seen.
    ///
    /// # Errors
    /// As [`answer`](Self::answer). After a prompt that is refused what was kept stays; after what goes wrong later, the next is read as a whole.
    pub fn answer_on(
        &self,
        memory: &mut Memory,
        question: Question,
        how: &Generation,
        seed: u64,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Written, Error> {
        how.validate()?;
        let Question { tokens, pictures } = question;
        let vectors = pictures.iter().map(|image| self.pictures.n_vectors(image));
        let vectors: Vec<usize> = vectors.collect();
        let places = Places {
            tokens: &tokens,
            image: self.model.image_token(),
            vectors: &vectors[..memory.seen_alike(&pictures)],
        };
        let kept = memory.kept.as_ref();
        let alike = kept.map_or(0, |kept| kept.in_common(&tokens));
        let (from, seen) = places.before(alike);
        let room = self.most_new(how, tokens.len());
        let grids: Vec<_> = pictures.iter().filter_map(PreparedImage::grid).collect();
        let images = self.pictures.collate(&pictures[seen..], &self.device);
        let kept = &mut memory.kept;
        let read = self
            .model
            .read_on(kept, from, &tokens, &grids, images, room);
        let (answering, scores) = read?;
        let decode = |ids: &[u32]| self.tokenizer.decode(ids).unwrap_or_default();
        let asked = Asked {
            prompts: &[&tokens],
            room: &[room],
            how,
            seed,
        };
        let written = memory.spoken(answering, scores, &asked, decode, on_text)?;
        memory.pictures = pictures;
        Ok(written)
    }
}

/// Where pictures that have been seen stand in a prompt.
struct Places<'a> {
    tokens: &'a [u32],
    /// What stands in each place.
    image: u32,
    /// How many places each picture has.
    vectors: &'a [usize],
}

impl Places<'_> {
    /// The last token up to `from` before which no other picture begins, and how many pictures stand before it as a whole.
    fn before(&self, from: usize) -> (usize, usize) {
        let places = self.tokens[..from].iter().enumerate();
        let places = places.filter(|(_, token)| **token == self.image);
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        let (mut count, mut whole) = (0, 0);
        for vectors in self.vectors {
            if count + vectors > places.len() {
                break;
            }
            (count, whole) = (count + vectors, whole + 1);
        }
        (places.get(count).copied().unwrap_or(from), whole)
    }
}

/// A message whose text is a part.
fn in_parts(message: &Message) -> Message {
    let content = match &message.content {
        Content::Text(text) => Content::Parts(vec![Part::Text(text.clone())]),
        parts => parts.clone(),
    };
    Message {
        content,
        ..message.clone()
    }
}
