//! What was said, as people and players read it.

use std::fmt::Write;

use sensorium_models::ready::{Said, Speech};

use crate::args::FormatArg;

impl FormatArg {
    /// Of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
        }
    }
}

/// A whole file.
pub fn written(speech: &Speech, format: FormatArg, times: bool) -> String {
    let said = speech.segments.iter().filter(|said| !said.text.is_empty());
    match format {
        FormatArg::Txt if !times => format!("{}\n", speech.text),
        FormatArg::Txt => said
            .map(|said| format!("[{}] {}\n", span(said, '.'), said.text))
            .collect(),
        FormatArg::Srt => {
            let numbered = said.zip(1..);
            numbered
                .map(|(said, number)| format!("{number}\n{}\n{}\n\n", span(said, ','), said.text))
                .collect()
        }
        FormatArg::Vtt => said.fold("WEBVTT\n\n".to_owned(), |mut all, said| {
            let text = said.text.replace('&', "&amp;").replace('<', "&lt;");
            let text = text.replace("-->", "--&gt;"); // which would end the cue
            let _ = writeln!(all, "{}\n{text}\n", span(said, '.'));
            all
        }),
    }
}

/// `00:00:01.500 --> 00:00:02.000`
fn span(said: &Said, point: char) -> String {
    let (start, end) = (said.segment.start_s, said.segment.end_s);
    format!("{} --> {}", time(start, point), time(end.max(start), point))
}

fn time(seconds: f64, point: char) -> String {
    let ms = (seconds.max(0.0) * 1000.0).round() as u64;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!(
        "{:02}:{:02}:{:02}{point}{ms:03}",
        s / 3600,
        s / 60 % 60,
        s % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_models::whisper::generate::Segment;

    fn said(text: &str, start_s: f64, end_s: f64) -> Said {
        Said {
            text: text.to_owned(),
            segment: Segment {
                start_s,
                end_s,
                tokens: Vec::new(),
                log_probability: -0.1,
                no_speech: None,
                temperature: 0.0,
            },
        }
    }

    fn speech() -> Speech {
        Speech {
            language: Some("en".to_owned()),
            text: "one two --> <three>".to_owned(),
            segments: vec![
                said("one two", 0.0, 1.5),
                said("", 1.5, 2.0),
                said("--> <three> & more", 3599.9996, 3725.25),
            ],
        }
    }

    #[test]
    fn each_format_is_written_as_it_should_be() {
        let speech = speech();
        let text = written(&speech, FormatArg::Txt, false);
        assert_eq!(text, "one two --> <three>\n");
        let timed = "[00:00:00.000 --> 00:00:01.500] one two\n\
                     [01:00:00.000 --> 01:02:05.250] --> <three> & more\n";
        assert_eq!(written(&speech, FormatArg::Txt, true), timed);
        let srt = "1\n00:00:00,000 --> 00:00:01,500\none two\n\n\
                   2\n01:00:00,000 --> 01:02:05,250\n--> <three> & more\n\n";
        assert_eq!(written(&speech, FormatArg::Srt, false), srt);
        let vtt = "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\none two\n\n\
                   01:00:00.000 --> 01:02:05.250\n--&gt; &lt;three> &amp; more\n\n";
        assert_eq!(written(&speech, FormatArg::Vtt, false), vtt);
    }
}
