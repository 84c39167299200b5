//! The turns of a talk.

use serde_json::{Map, Value as Json, json};

/// Who says what.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, or whatever else the template knows.
    pub role: String,
    /// A text, or parts.
    pub content: Content,
    /// What else a template may look at, such as `tool_calls`.
    pub more: Map<String, Json>,
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text alone; templates that know no parts understand it.
    Text(String),
    /// Texts and what is shown or played, in their order.
    Parts(Vec<Part>),
}

/// A part of what is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(String),
    /// An image, which is given to the model apart.
    Image,
    /// A sound.
    Audio,
    /// A video.
    Video,
}

/// A talk, as a template sees it.
#[derive(Clone, Debug)]
pub struct Chat<'a> {
    /// Its turns.
    pub messages: &'a [Message],
    /// What the model may call, each as the template expects it: mostly a function's JSON schema.
    pub tools: &'a [Json],
    /// Whether the text ends with the beginning of an answer (`add_generation_prompt`).
    pub asks_for_answer: bool,
    /// What else the template may name, such as `enable_thinking`.
    pub more: Map<String, Json>,
}

impl<'a> Chat<'a> {
    /// A talk that asks for an answer.
    pub fn of(messages: &'a [Message]) -> Self {
        Self {
            messages,
            tools: &[],
            asks_for_answer: true,
            more: Map::new(),
        }
    }
}

/// Names under which what was thought before an answer may stand.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

impl Message {
    /// A text.
    pub fn new(role: &str, text: impl Into<String>) -> Self {
        Self {
            role: role.to_owned(),
            content: Content::Text(text.into()),
            more: Map::new(),
        }
    }

    /// Texts, images and the like.
    pub fn of_parts(role: &str, parts: Vec<Part>) -> Self {
        Self {
            role: role.to_owned(),
            content: Content::Parts(parts),
            more: Map::new(),
        }
    }

    /// As a template sees it. What was thought stands under each name that templates know it by, as in the reference.
    pub(super) fn shown(&self) -> Json {
        let mut shown = Map::new();
        shown.insert("role".to_owned(), self.role.as_str().into());
        let content = match &self.content {
            Content::Text(text) => text.as_str().into(),
            Content::Parts(parts) => parts.iter().map(Part::shown).collect::<Vec<_>>().into(),
        };
        shown.insert("content".to_owned(), content);
        shown.extend(self.more.clone());
        let thought = REASONING
            .iter()
            .find_map(|name| self.more.get(*name).filter(|v| !v.is_null()));
        if let Some(thought) = thought {
            shown.insert("reasoning_content".to_owned(), thought.clone());
            shown.entry("thinking").or_insert_with(|| thought.clone());
        }
        shown.into()
    }
}

impl Part {
    fn shown(&self) -> Json {
        match self {
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::Image => json!({"type": "image"}),
            Self::Audio => json!({"type": "audio"}),
            Self::Video => json!({"type": "video"}),
        }
    }
}
