//! From the turns of a talk to the text that a model was trained to go on from: its chat template.
//!
//! Templates are programs in Jinja that come with a checkpoint. They are followed as Transformers follows them (trimmed blocks, `tojson`
//! without escapes for HTML, `raise_exception`, `strftime_now`, Python's way of printing), with a limit to what they may do.

mod message;
mod python;

use std::collections::BTreeMap;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Serde};
use minijinja::{Environment, ErrorKind, Value};
use serde_json::{Map, Value as Json};

pub use message::{Chat, Content, Message, Part};

use crate::Error;

/// Steps that a template may take: a hundred messages take some ten thousand.
const FUEL: u64 = 10_000_000;
/// Bytes that a template may write.
const MOST: usize = 64 << 20;
const DEFAULT: &str = "default";
/// The template for talks with tools, of models that have one of its own.
const WITH_TOOLS: &str = "tool_use";

/// The chat template of a model.
///
/// What a template may do is limited in steps and in what it writes; one that doubles a text again and again within itself may still take
/// much memory.
///
/// ```
/// use sensorium_decode::{Chat, ChatTemplate, Message, Part};
///
/// let template = ChatTemplate::new(
///     "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}\
///      {{ '[image]' if part.type == 'image' else part.text }}{% endfor %}{% endif %}{% endfor %}\
///      {% if add_generation_prompt %}<assistant>{% endif %}",
/// )?;
/// let turns = [
///     Message::new("system", "Be brief."),
///     Message::of_parts("user", vec![Part::Image, Part::Text("What is it?".to_owned())]),
/// ];
/// let text = template.render(&Chat::of(&turns))?;
/// assert_eq!(text, "<system>Be brief.<user>[image]What is it?<assistant>");
/// # Ok::<(), sensorium_decode::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Names of special tokens, such as `bos_token`, and how they are written.
    tokens: BTreeMap<String, String>,
}

impl ChatTemplate {
    /// A template by its text.
    ///
    /// # Errors
    /// [`Error::Template`] with the line on which it cannot be read.
    pub fn new(template: &str) -> Result<Self, Error> {
        let mut own = Self {
            environment: environment(),
            tokens: BTreeMap::new(),
        };
        own.add(DEFAULT, template)?;
        Ok(own)
    }

    /// The template, or templates by name, of a `tokenizer_config.json`, with its special tokens; `None` if it has none. A file
    /// `chat_template.jinja` beside it goes before what it says: its text is `template`.
    ///
    /// # Errors
    /// [`Error::Template`] if the file is none, or a template cannot be read.
    pub fn of_tokenizer(config: &str, template: Option<&str>) -> Result<Option<Self>, Error> {
        let config: Map<String, Json> =
            serde_json::from_str(config).map_err(|error| Error::Template {
                reason: format!("tokenizer_config.json: {error}"),
            })?;
        let mut own = Self {
            environment: environment(),
            tokens: special_tokens(&config),
        };
        match (template, config.get("chat_template")) {
            (Some(template), _) => own.add(DEFAULT, template)?,
            (None, Some(Json::String(template))) => own.add(DEFAULT, template)?,
            (None, Some(Json::Array(named))) => {
                for one in named {
                    let (Some(name), Some(template)) =
                        (one["name"].as_str(), one["template"].as_str())
                    else {
                        return Err(Error::Template {
                            reason: "tokenizer_config.json: chat_template lists what has no name and template"
                                .to_owned(),
                        });
                    };
                    own.add(name, template)?;
                }
            }
            (None, _) => return Ok(None),
        }
        Ok(Some(own))
    }

    fn add(&mut self, name: &str, template: &str) -> Result<(), Error> {
        let added = self
            .environment
            .add_template_owned(name.to_owned(), without_generation(template));
        added.map_err(|error| failed(&error))
    }

    /// The text of a talk.
    ///
    /// # Errors
    /// [`Error::Template`] if the template refuses it, or does what it must not.
    pub fn render(&self, chat: &Chat<'_>) -> Result<String, Error> {
        let with_tools =
            !chat.tools.is_empty() && self.environment.get_template(WITH_TOOLS).is_ok();
        let name = if with_tools { WITH_TOOLS } else { DEFAULT };
        let template = self.environment.get_template(name);
        let template = template.map_err(|error| failed(&error))?;
        let mut text = Bounded(Vec::new());
        let rendered =
            template.render_captured_to(Value::from(Serde(self.context(chat))), &mut text);
        rendered.map_err(|error| failed(&error))?;
        String::from_utf8(text.0).map_err(|error| Error::Template {
            reason: error.to_string(),
        })
    }

    /// What a template can name: as in the reference, what was not given is there and is none.
    fn context(&self, chat: &Chat<'_>) -> Map<String, Json> {
        let tokens = self.tokens.iter();
        let mut context: Map<String, Json> = tokens
            .map(|(name, token)| (name.clone(), Json::from(token.as_str())))
            .collect();
        let messages: Vec<Json> = chat.messages.iter().map(Message::shown).collect();
        context.insert("messages".to_owned(), messages.into());
        let tools = match chat.tools.is_empty() {
            true => Json::Null,
            false => Json::from(chat.tools.to_vec()),
        };
        context.insert("tools".to_owned(), tools);
        context.insert("documents".to_owned(), Json::Null);
        let asks = chat.asks_for_answer.into();
        context.insert("add_generation_prompt".to_owned(), asks);
        context.extend(chat.more.clone());
        context
    }
}

/// Where templates run.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("the usual marks of blocks"));
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment
        .set_formatter(|out, _, value| out.write_str(&python::printed(value)).map_err(Into::into));
    environment.add_filter("tojson", tojson);
    environment.add_function(
        "raise_exception",
        |reason: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
        },
    );
    environment.add_function("strftime_now", |format: String| {
        python::time(&chrono::Local::now().naive_local(), &format).ok_or_else(|| {
            let reason = format!("{format:?} is no format of a time");
            minijinja::Error::new(ErrorKind::InvalidOperation, reason)
        })
    });
    environment
}

/// Python's `json.dumps` with the arguments that templates give it.
fn tojson(value: Value, args: Rest<Value>, named: Kwargs) -> Result<Value, minijinja::Error> {
    let _: Option<bool> = named.get("ensure_ascii")?;
    let sorted: Option<bool> = named.get("sort_keys")?;
    let indent: Option<usize> = named.get("indent")?;
    let separators: Option<Vec<String>> = named.get("separators")?;
    named.assert_all_used()?;
    // The first argument by place is `ensure_ascii`, the second the indent.
    let indent = match args.get(1) {
        Some(second) => usize::try_from(second.clone()).ok(),
        None => indent,
    };
    let json: Json = serde_json::to_value(&value)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let dump = python::Dump {
        indent,
        sorted: sorted.unwrap_or_default(),
        separators: separators.and_then(|both| <[String; 2]>::try_from(both).ok()),
    };
    Ok(dump.text(&json).into())
}

/// The special tokens that a template may name.
fn special_tokens(config: &Map<String, Json>) -> BTreeMap<String, String> {
    let tokens = config.iter().filter(|(name, _)| name.ends_with("_token"));
    tokens
        .filter_map(|(name, token)| {
            let text = token.as_str().or_else(|| token["content"].as_str())?;
            Some((name.clone(), text.to_owned()))
        })
        .collect()
}

/// The template without the marks of what an assistant has said, which count in training alone.
fn without_generation(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else {
            break;
        };
        let tag = &rest[start + 2..start + length];
        let word = tag.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace());
        let instead = match word {
            "generation" => Some("if true"),
            "endgeneration" => Some("endif"),
            _ => None,
        };
        text.push_str(&rest[..start + 2]);
        match instead {
            Some(instead) => text.push_str(&tag.replace(word, instead)),
            None => text.push_str(tag),
        }
        rest = &rest[start + length..];
    }
    text + rest
}

/// One line of what went wrong.
fn failed(error: &minijinja::Error) -> Error {
    let mut reason = error.to_string();
    if error.kind() == ErrorKind::OutOfFuel {
        reason = format!("it does not come to an end within {FUEL} steps");
    }
    Error::Template {
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// A text that does not grow without end.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(io::Error::other("the text is longer than 64 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> Result<String, String> {
        let turns = [Message::new("user", "hi")];
        let template = ChatTemplate::new(template).map_err(|error| error.to_string())?;
        let text = template.render(&Chat::of(&turns));
        text.map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_template_does_wrong_is_one_line() {
        for (template, said) in [
            ("a\n{% for %}", "(in default:2)"),
            (
                "{{ raise_exception('roles must\nalternate') }}",
                "roles must alternate",
            ),
            ("{{ messages[0].content.shout() }}", "shout"),
            ("{{ nobody.role }}", "undefined"),
            (
                "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
                "steps",
            ),
            ("{{ strftime_now('%Q') }}", "no format of a time"),
            ("{% include 'other' %}", "include"),
        ] {
            let error = rendered(template).unwrap_err();
            assert!(
                error.contains(said) && !error.contains('\n'),
                "{template}: {error}"
            );
        }
        let year = chrono::Local::now().format("%d %b %Y").to_string();
        assert_eq!(rendered("{{ strftime_now('%d %b %Y') }}").unwrap(), year);
    }

    #[test]
    fn templates_come_with_a_tokenizer() {
        let turns = [Message::new("user", "hi")];
        let config = r#"{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "pad_token": null,
            "chat_template": [{"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"},
                {"name": "tool_use", "template": "{{ tools | length }}"}]}"#;
        let template = ChatTemplate::of_tokenizer(config, None).unwrap().unwrap();
        let mut chat = Chat::of(&turns);
        assert_eq!(template.render(&chat).unwrap(), "<s>hi</s>");
        let tools = [serde_json::json!({"name": "look"})];
        chat.tools = &tools;
        assert_eq!(template.render(&chat).unwrap(), "1");
        let beside = ChatTemplate::of_tokenizer(config, Some("{{ eos_token }}")).unwrap();
        assert_eq!(beside.unwrap().render(&chat).unwrap(), "</s>");
        assert!(ChatTemplate::of_tokenizer("{}", None).unwrap().is_none());
        for broken in [
            "[]",
            "{\"chat_template\": [{\"name\": 3}]}",
            "{\"chat_template\": \"{{\"}",
        ] {
            assert!(
                ChatTemplate::of_tokenizer(broken, None).is_err(),
                "{broken}"
            );
        }
    }
}
