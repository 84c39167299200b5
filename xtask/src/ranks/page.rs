//! The page on what telling each other costs.

use std::fmt::Write as _;

use super::Step;

/// Seconds from one node to the next, of however short a message.
const LATENCY: f64 = 30e-6;
/// The first steps warm up, and are not timed.
const WARM: usize = 10;

fn median(steps: &[Step], of: impl Fn(&Step) -> f64) -> f64 {
    let mut values: Vec<f64> = steps.iter().skip(WARM).map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(super) fn markdown(rows: &[(usize, Vec<Step>)]) -> String {
    let mut text = String::from(
        "# What telling each other costs\n\n\
         Written by `cargo xtask ranks`: the recipe av-digits (batches of 48 samples, flex) by one process, and the same batches \
         shared by two and four of them on one machine. Medians of the steps after the first ten; what is told is what a process hands \
         in, whatever MPI makes of it. All have the machine's cores together.\n\n",
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let _ = writeln!(
        text,
        "| processes, on {cores} cores | a step | of it waiting for data | of it telling and waiting for each other | each tells |\n|---|---|---|---|---|"
    );
    for (size, steps) in rows {
        let step = median(steps, |s| s.step_s);
        let share = |of: fn(&Step) -> f64| 100.0 * median(steps, of) / step;
        let _ = writeln!(
            text,
            "| {size} | {:.1} ms | {:.0} % | {:.0} % | {:.2} MB |",
            1e3 * step,
            share(|s| s.data_s),
            share(|s| s.ranks_s),
            median(steps, |s| s.bytes) / 1e6
        );
    }
    let (alone, told) = (
        &rows[0].1,
        rows.last()
            .map_or(0.0, |(_, steps)| median(steps, |s| s.bytes)),
    );
    text.push_str(&expected(median(alone, |s| s.step_s), told));
    text
}

/// What many nodes would come to, by arithmetic.
fn expected(step: f64, bytes: f64) -> String {
    let mut text = format!(
        "\n## Many nodes, by arithmetic\n\n\
         Not measured. Assumed: a node computes as fast as this machine ({:.1} ms a step of 48 samples), each tells {:.2} MB a step, \
         sums go round a ring (2 (n - 1) / n of the bytes pass each node, in 2 (n - 1) messages of {:.0} µs each at least), nothing of it \
         is hidden behind computing, and no node waits for a slower one. *The same batch*: 48 samples shared by all. *A batch each*: 48 \
         samples a node. In brackets, the share of the time that is spent computing.\n\n\
         | nodes | the same batch, 10 Gbit/s | a batch each, 10 Gbit/s | a batch each, 100 Gbit/s |\n|---|---|---|---|\n",
        1e3 * step,
        bytes / 1e6,
        1e6 * LATENCY
    );
    for nodes in [1.0, 2.0, 4.0, 16.0, 64.0] {
        let cell = |compute: f64, gigabits: f64| {
            let around = 2.0 * (nodes - 1.0);
            let telling = around / nodes * bytes * 8.0 / (gigabits * 1e9) + around * LATENCY;
            let whole = compute + telling;
            format!("{:.1} ms ({:.0} %)", 1e3 * whole, 100.0 * compute / whole)
        };
        let _ = writeln!(
            text,
            "| {nodes} | {} | {} | {} |",
            cell(step / nodes, 10.0),
            cell(step, 10.0),
            cell(step, 100.0)
        );
    }
    text.push_str(
        "\nSo small a model gains nothing from more than a few nodes with one batch; with a batch each it does, and the larger the model's \
         computing beside its weights, the more. What is told grows with the weights that are trained alone, not with the batch.\n",
    );
    text
}
