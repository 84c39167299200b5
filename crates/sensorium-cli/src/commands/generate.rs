//! `sensorium generate`: prompts to what a language model goes on with.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Context;
use sensorium_core::Source;
use sensorium_decode::{Chat, Message, Part};
use sensorium_models::ready::{LanguageModel, Question, Written};
use sensorium_recipe::Observer;
use serde_json::{Value, json};

use crate::args::{Common, GenerateArgs};
use crate::progress::Progress;
use crate::{Misuse, models, screen};

/// Goes on with every prompt, side by side.
pub fn run(args: &GenerateArgs, common: &Common) -> anyhow::Result<()> {
    let texts = prompts(args)?;
    let checkpoint = models::open(&args.model, common)?;
    let opened = sensorium_runtime::choose(common.backend)?;
    let writer = LanguageModel::open(&checkpoint, &opened.device)?;
    let how = args.how.over(writer.generation());
    let read = |text: &String| read(&writer, args, text);
    let prompts: anyhow::Result<Vec<Question>> = texts.iter().map(read).collect();
    let prompts = prompts?;

    let streams = prompts.len() == 1 && !common.json && how.num_beams == 1;
    let mut progress = Progress::new(common.quiet);
    if !streams {
        let most = prompts
            .iter()
            .map(|p| writer.most_new(&how, p.tokens.len()));
        progress.work("tokens", Some(most.sum()));
    }
    let (begun, mut count, mut failed) = (Instant::now(), 0, None);
    let written = writer.write(&prompts, &how, args.how.seed, |_, piece| {
        count += 1;
        let shown = match streams {
            true => shown(piece),
            false => {
                progress.advance(count);
                Ok(())
            }
        };
        match shown {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    progress.phase_end();
    let written = written?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let tokens: usize = written.iter().map(|one| one.tokens.len()).sum();
    match (common.json, streams) {
        (true, _) => screen::json(&document(&texts, &prompts, &written))?,
        (false, true) => shown("\n")?,
        (false, false) if texts.len() == 1 => screen::text(&written[0].text)?,
        (false, false) => {
            for (prompt, one) in texts.iter().zip(&written) {
                screen::text(&format!("{prompt}:\n{}", one.text))?;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let read: usize = prompts.iter().map(|p| p.tokens.len()).sum();
    progress.line(&format!(
        "{tokens} tokens after {read} in {seconds:.1} s, {:.0} a second",
        tokens as f64 / seconds
    ));
    Ok(())
}

/// A prompt, or what a person says, with its pictures.
fn read(model: &LanguageModel, args: &GenerateArgs, text: &str) -> anyhow::Result<Question> {
    let pictures = args
        .image
        .iter()
        .map(|path| model.picture(&Source::path(path)));
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    if args.chat {
        let system = args.system.iter().map(|text| Message::new("system", text));
        let asked = said(text, pictures.len());
        let turns: Vec<Message> = system.chain([asked]).collect();
        return Ok(model.talk(&Chat::of(&turns), pictures)?);
    }
    // Pictures whose places nobody names stand before the text.
    let mark = model.placeholder().filter(|mark| !text.contains(mark));
    let before = mark.unwrap_or_default().repeat(pictures.len());
    Ok(model.prompt(&format!("{before}{text}"), pictures)?)
}

/// What a person says, after so many pictures.
pub(super) fn said(text: &str, pictures: usize) -> Message {
    if pictures == 0 {
        return Message::new("user", text);
    }
    let mut parts = vec![Part::Image; pictures];
    parts.push(Part::Text(text.to_owned()));
    Message::of_parts("user", parts)
}

/// Prints what is new at once.
pub(super) fn shown(piece: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(piece.as_bytes())?;
    out.flush()
}

fn prompts(args: &GenerateArgs) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::with_capacity(args.prompt.len());
    for prompt in &args.prompt {
        if prompt != "-" {
            texts.push(prompt.clone());
            continue;
        }
        for line in std::io::stdin().lock().lines() {
            let line = line.context("standard input cannot be read")?;
            if !line.trim().is_empty() {
                texts.push(line);
            }
        }
    }
    if texts.len() > 1 && !args.image.is_empty() {
        let problem = "--image goes with one prompt: of several, nobody says which it is for";
        return Err(Misuse(problem.to_owned()).into());
    }
    match texts.is_empty() {
        true => Err(Misuse("standard input holds no prompt".to_owned()).into()),
        false => Ok(texts),
    }
}

/// Of one prompt its answer; of several, a list of them.
fn document(texts: &[String], prompts: &[Question], written: &[Written]) -> Value {
    let each = texts.iter().zip(prompts).zip(written);
    let mut each: Vec<Value> = each
        .map(|((text, prompt), one)| {
            json!({
                "prompt": text,
                "text": one.text,
                "tokens": one.tokens,
                "log_probabilities": one.log_probabilities,
                "finish_reason": one.finish.name(),
                "prompt_tokens": prompt.tokens.len(),
            })
        })
        .collect();
    match each.len() {
        1 => each.remove(0),
        _ => json!({ "results": each }),
    }
}
