//! What a person sees while they wait: bars on a terminal, plain lines every few seconds elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sensorium_recipe::Observer;
use sensorium_train::{Ended, Plan, StepLog, ValidationLog, Warning, Watch};

use crate::screen;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Draws to standard error.
pub struct Progress {
    quiet: bool,
    terminal: bool,
    bar: Option<ProgressBar>,
    phase: String,
    last_line: Instant,
    started: Instant,
    total: usize,
    /// Of recordings that are heard, so far as they are known.
    listened_s: f64,
    /// Smoothed over steps, so that the bar can be read.
    loss: f64,
    accuracy: f64,
    first_step: usize,
    validation: String,
}

impl Progress {
    /// Draws bars on a terminal, writes lines elsewhere, and nothing at all if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            bar: None,
            phase: String::new(),
            last_line: Instant::now(),
            started: Instant::now(),
            total: 0,
            listened_s: 0.0,
            loss: f64::NAN,
            accuracy: f64::NAN,
            first_step: 0,
            validation: String::new(),
        }
    }

    /// Writes a line above the bar.
    pub fn line(&self, line: &str) {
        if !self.quiet {
            self.result(line);
        }
    }

    /// The same for what is no progress but a part of the result, such as an input left out: also if `quiet`.
    pub fn result(&self, line: &str) {
        match &self.bar {
            Some(bar) if self.terminal => bar.println(line),
            _ => eprintln!("{line}"),
        }
    }

    /// Begins work on so many things; `None` if that is not known before the end.
    pub fn work(&mut self, what: &str, total: Option<usize>) {
        let template = match total {
            Some(_) => "{prefix} {bar:28.cyan/black.bright} {pos}/{len} {eta} left",
            None => "{prefix} {spinner} {pos} {per_sec}",
        };
        self.open_bar(total.map(|total| total as u64), template);
        self.phase = what.to_owned();
        if let Some(bar) = &self.bar {
            bar.set_prefix(what.to_owned());
        }
    }

    /// Begins to hear so many seconds more.
    pub fn listen(&mut self, seconds: f64) {
        self.listened_s += seconds;
        let total = self.listened_s.ceil() as u64;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            return;
        }
        if self.phase.is_empty() {
            self.phase = "seconds heard".to_owned();
            self.open_bar(
                Some(total),
                "{prefix} {bar:20.cyan/black.bright} {pos}/{len} s {eta} left  {wide_msg}",
            );
        }
    }

    /// How many seconds have been heard, and what was heard last, in which recording.
    pub fn heard(&mut self, what: &str, seconds: f64, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(what.to_owned());
            bar.set_message(text.to_owned());
        }
        self.advance(seconds as usize);
    }

    /// Does what prints where the bar stands.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn open_bar(&mut self, total: Option<u64>, template: &str) {
        self.close_bar();
        self.started = Instant::now();
        self.last_line = Instant::now();
        if self.quiet || !self.terminal {
            return;
        }
        let style = ProgressStyle::with_template(template)
            .expect("templates are constants and well formed")
            .progress_chars("━╸─");
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        bar.set_style(style);
        self.bar = Some(bar);
    }

    fn close_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn smooth(old: f64, new: f64) -> f64 {
        if old.is_nan() {
            new
        } else {
            0.9 * old + 0.1 * new
        }
    }
}

impl Watch for Progress {
    fn on_start(&mut self, plan: &Plan) {
        self.open_bar(
            Some(plan.total_steps as u64),
            "{prefix} {bar:28.cyan/black.bright} {pos}/{len} {msg} {eta} left",
        );
        (self.first_step, self.total) = (plan.steps_done, plan.total_steps);
        if plan.steps_done > 0 {
            self.line(&format!(
                "going on from step {} of {}",
                plan.steps_done, plan.total_steps
            ));
        }
        if let Some(bar) = &self.bar {
            bar.set_prefix("training");
            bar.set_position(plan.steps_done as u64);
            bar.reset_eta();
        }
    }

    fn on_step(&mut self, step: &StepLog) -> ControlFlow<()> {
        if step.loss.is_finite() {
            self.loss = Self::smooth(self.loss, step.loss);
        }
        if let Some(accuracy) = step.accuracy {
            self.accuracy = Self::smooth(self.accuracy, accuracy);
        }
        let accuracy = match self.accuracy.is_finite() {
            true => format!("  acc {:.1}%", 100.0 * self.accuracy),
            false => String::new(),
        };
        let message = format!(
            "loss {:.3}{accuracy}{}  {:.0} samples/s ",
            self.loss, self.validation, step.samples_per_s
        );
        if let Some(bar) = &self.bar {
            bar.set_position(step.step as u64);
            bar.set_message(message);
        } else if !self.quiet && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let done = step.step.saturating_sub(self.first_step).max(1) as f64;
            let a_step = self.started.elapsed().as_secs_f64() / done;
            let left = screen::seconds(a_step * self.total.saturating_sub(step.step) as f64);
            eprintln!("step {}/{}  {message} {left} left", step.step, self.total);
        }
        ControlFlow::Continue(())
    }

    fn on_validation(&mut self, log: &ValidationLog) {
        let scores = &log.scores.0;
        let accuracy = scores.iter().find(|score| score.name == "accuracy");
        let Some(shown) = accuracy.or(scores.first()) else {
            return;
        };
        let (name, value) = (shown.name.replace('_', " "), shown.value);
        let read = match accuracy {
            Some(_) => format!("{:.1}%", 100.0 * value),
            None => format!("{value:.3}"),
        };
        self.validation = match accuracy {
            Some(_) => format!("  valid {read}"),
            None => format!("  valid {name} {read}"),
        };
        if !self.terminal {
            let epoch = log.epoch;
            self.line(&format!("epoch {epoch} done: validation {name} {read}"));
        }
    }

    fn on_warning(&mut self, warning: &Warning) {
        self.line(&format!("warning: {warning}"));
    }

    fn on_end(&mut self, _ended: Ended) {
        self.close_bar();
    }
}

impl Observer for Progress {
    fn phase(&mut self, what: &str, total: usize) {
        self.work(what, Some(total));
    }

    fn advance(&mut self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        } else if !self.quiet && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{}: {done}", self.phase);
        }
    }

    fn phase_end(&mut self) {
        self.close_bar();
    }

    fn note(&mut self, line: &str) {
        self.line(line);
    }
}
