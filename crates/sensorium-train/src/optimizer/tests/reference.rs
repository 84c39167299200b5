//! The rules written out in float64, a number at a time, from the papers' algorithms and PyTorch's and Transformers'
//! documentation: what seven steps of learning rate 0.05 make of the weight and the bias that the tests move.

use crate::TrainConfig;

const LR: f64 = 0.05;
const STEPS: usize = 7;

/// A weight of 2 x 2 by rows, and a bias of 2.
type Numbers = ([f64; 4], [f64; 2]);

fn start() -> Numbers {
    (
        [1.0, -2.0, 0.5, 3.0],
        [f64::from(0.3f32), f64::from(-0.7f32)],
    )
}

fn gradient((weight, bias): &Numbers, step: usize) -> Numbers {
    (
        weight.map(|x| (step + 1) as f64 * x * x),
        bias.map(|x| 2.0 * x),
    )
}

fn all((weight, bias): Numbers) -> Vec<f64> {
    weight.into_iter().chain(bias).collect()
}

/// Moves both, each with a rule that is given start, decay and whose gradients it goes by.
fn each<const W: usize>(
    numbers: &mut [f64; W],
    grads: &[f64; W],
    mut rule: impl FnMut(usize, f64, f64) -> f64,
) {
    for at in 0..W {
        numbers[at] = rule(at, numbers[at], grads[at]);
    }
}

/// One step of Adam with decoupled decay.
fn adam(x: f64, g: f64, [m, v]: &mut [f64; 2], betas: [f64; 2], step: usize, decay: f64) -> f64 {
    let t = step as i32 + 1;
    *m = betas[0] * *m + (1.0 - betas[0]) * g;
    *v = betas[1] * *v + (1.0 - betas[1]) * g * g;
    let (m_hat, v_hat) = (*m / (1.0 - betas[0].powi(t)), *v / (1.0 - betas[1].powi(t)));
    x - LR * decay * x - LR * m_hat / (v_hat.sqrt() + 1e-8)
}

/// PyTorch's documentation of `AdamW`.
pub(super) fn adamw(config: &TrainConfig) -> Vec<f64> {
    let mut now = start();
    let (mut of_weight, mut of_bias) = ([[0.0; 2]; 4], [[0.0; 2]; 2]);
    let betas = config.betas.unwrap_or([0.9, 0.999]);
    for step in 0..STEPS {
        let grads = gradient(&now, step);
        each(&mut now.0, &grads.0, |at, x, g| {
            adam(x, g, &mut of_weight[at], betas, step, config.weight_decay)
        });
        each(&mut now.1, &grads.1, |at, x, g| {
            adam(x, g, &mut of_bias[at], betas, step, 0.0)
        });
    }
    all(now)
}

/// arXiv 2302.06675, algorithm 2.
pub(super) fn lion(config: &TrainConfig) -> Vec<f64> {
    let mut now = start();
    let mut momenta = [0.0; 6];
    let [in_step, stays] = config.betas.unwrap_or([0.9, 0.99]);
    let one = |x: f64, g: f64, m: &mut f64, decay: f64| {
        let c: f64 = in_step * *m + (1.0 - in_step) * g;
        *m = stays * *m + (1.0 - stays) * g;
        x - LR * (c.signum() + decay * x)
    };
    for step in 0..STEPS {
        let grads = gradient(&now, step);
        each(&mut now.0, &grads.0, |at, x, g| {
            one(x, g, &mut momenta[at], config.weight_decay)
        });
        each(&mut now.1, &grads.1, |at, x, g| {
            one(x, g, &mut momenta[4 + at], 0.0)
        });
    }
    all(now)
}

fn rms(numbers: &[f64]) -> f64 {
    (numbers.iter().map(|x| x * x).sum::<f64>() / numbers.len() as f64).sqrt()
}

/// Transformers' `Adafactor` with `relative_step=False`: arXiv 1804.04235, algorithm 4 for the weight and 5 for the bias.
pub(super) fn adafactor(config: &TrainConfig) -> Vec<f64> {
    let keys = config.optimizer_keys();
    let mut now = start();
    let (mut rows, mut columns, mut squares) = ([0.0; 2], [0.0; 2], [0.0; 2]);
    let (mut of_weight, mut of_bias) = ([0.0; 4], [0.0; 2]);
    for step in 0..STEPS {
        let grads = gradient(&now, step);
        let decay = 1.0 - ((step + 1) as f64).powf(-keys.decay_rate);
        let square = |g: f64| g * g + 1e-30;
        for at in 0..2 {
            let row = (square(grads.0[2 * at]) + square(grads.0[2 * at + 1])) / 2.0;
            let column = (square(grads.0[at]) + square(grads.0[at + 2])) / 2.0;
            rows[at] = decay * rows[at] + (1.0 - decay) * row;
            columns[at] = decay * columns[at] + (1.0 - decay) * column;
            squares[at] = decay * squares[at] + (1.0 - decay) * square(grads.1[at]);
        }
        let mean = (rows[0] + rows[1]) / 2.0;
        let update = [0, 1, 2, 3].map(|at: usize| {
            let second = rows[at / 2] * columns[at % 2] / mean;
            grads.0[at] / second.sqrt()
        });
        let updates = (
            update,
            [0, 1].map(|at: usize| grads.1[at] / squares[at].sqrt()),
        );
        apply(
            &mut now.0,
            updates.0,
            &mut of_weight,
            config,
            config.weight_decay,
        );
        apply(&mut now.1, updates.1, &mut of_bias, config, 0.0);
    }
    all(now)
}

/// Clips an update, scales it, averages it and takes it.
fn apply<const N: usize>(
    now: &mut [f64; N],
    update: [f64; N],
    momentum: &mut [f64; N],
    config: &TrainConfig,
    decay: f64,
) {
    let keys = config.optimizer_keys();
    let clip = (rms(&update) / keys.update_clip).max(1.0);
    let lr = match keys.scale_parameter {
        true => LR * rms(now).max(1e-3),
        false => LR,
    };
    for at in 0..N {
        let mut by = lr * update[at] / clip;
        if keys.momentum > 0.0 {
            momentum[at] = keys.momentum * momentum[at] + (1.0 - keys.momentum) * by;
            by = momentum[at];
        }
        now[at] = now[at] - decay * lr * now[at] - by;
    }
}

type Square = [[f64; 2]; 2];

fn times(a: &Square, b: &Square) -> Square {
    let cell = |row: usize, column: usize| a[row][0] * b[0][column] + a[row][1] * b[1][column];
    [[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]
}

/// PyTorch's documentation of `Muon` with `adjust_lr_fn="match_rms_adamw"`, in float64; AdamW for the bias.
pub(super) fn muon(config: &TrainConfig) -> Vec<f64> {
    let keys = config.optimizer_keys();
    let mut now = start();
    let (mut momentum, mut of_bias) = ([0.0; 4], [[0.0; 2]; 2]);
    for step in 0..STEPS {
        let grads = gradient(&now, step);
        let mu = keys.momentum;
        let mut ahead = [0.0; 4];
        for at in 0..4 {
            momentum[at] = mu * momentum[at] + (1.0 - mu) * grads.0[at];
            ahead[at] = mu * momentum[at] + (1.0 - mu) * grads.0[at];
        }
        let norm = ahead.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut x = [
            [ahead[0] / norm, ahead[1] / norm],
            [ahead[2] / norm, ahead[3] / norm],
        ];
        for _ in 0..keys.ns_steps {
            let turned = [[x[0][0], x[1][0]], [x[0][1], x[1][1]]];
            let a = times(&x, &turned);
            let aa = times(&a, &a);
            let mut b = [[0.0; 2]; 2];
            for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                b[row][column] = -4.7750 * a[row][column] + 2.0315 * aa[row][column];
            }
            let bx = times(&b, &x);
            for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                x[row][column] = 3.4445 * x[row][column] + bx[row][column];
            }
        }
        let update = [x[0][0], x[0][1], x[1][0], x[1][1]];
        let length = 0.2 * 2f64.sqrt();
        each(&mut now.0, &update, |_, x, u| {
            x - LR * config.weight_decay * x - LR * length * u
        });
        each(&mut now.1, &grads.1, |at, x, g| {
            adam(x, g, &mut of_bias[at], keys.betas, step, 0.0)
        });
    }
    all(now)
}
