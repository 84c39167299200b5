//! Chat templates give what Transformers' renderer gives; `tools/parity/chat.py` makes the cases.

use std::collections::BTreeMap;

use sensorium_decode::{Chat, ChatTemplate, Content, Message, Part};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Fixture {
    templates: BTreeMap<String, String>,
    tokens: Map<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    talk: String,
    messages: Vec<Map<String, Value>>,
    tools: Vec<Value>,
    asks: bool,
    more: Map<String, Value>,
    text: Option<String>,
    refused: Option<String>,
}

fn message(mut table: Map<String, Value>) -> Message {
    let role = table.remove("role").unwrap();
    let content = match table.remove("content").unwrap() {
        Value::String(text) => Content::Text(text),
        parts => {
            let part = |part: &Value| match part["type"].as_str().unwrap() {
                "image" => Part::Image,
                "audio" => Part::Audio,
                _ => Part::Text(part["text"].as_str().unwrap().to_owned()),
            };
            Content::Parts(parts.as_array().unwrap().iter().map(part).collect())
        }
    };
    Message {
        role: role.as_str().unwrap().to_owned(),
        content,
        more: table,
    }
}

#[test]
fn parity_of_chats_with_the_reference() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/chats.json")).unwrap();
    let mut faults = Vec::new();
    for case in &fixture.cases {
        let template = ChatTemplate::new(&fixture.templates[&case.template]).unwrap();
        let messages: Vec<Message> = case.messages.iter().cloned().map(message).collect();
        let mut more = fixture.tokens.clone();
        more.extend(case.more.clone());
        let chat = Chat {
            messages: &messages,
            tools: &case.tools,
            asks_for_answer: case.asks,
            more,
        };
        let found = template.render(&chat);
        let equal = match (&found, &case.text, &case.refused) {
            (Ok(found), Some(expected), _) => found == expected,
            (Err(error), _, Some(reason)) => error.to_string().contains(reason.as_str()),
            _ => false,
        };
        if !equal {
            let (name, talk) = (&case.template, &case.talk);
            faults.push(format!(
                "{name}, {talk}: {found:?}\ninstead of {:?} {:?}",
                case.text, case.refused
            ));
        }
    }
    assert!(fixture.cases.len() >= 40);
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
