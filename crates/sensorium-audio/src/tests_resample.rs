//! Resampling beside soxr and SciPy, tone by tone (`tools/parity/audio/resample.py`).

use std::f64::consts::TAU;

use crate::{Sound, resample};

#[derive(serde::Deserialize)]
struct Case {
    from: u32,
    to: u32,
    hz: f64,
    /// Of half the lower rate.
    share: f64,
    soxr: Heard,
    scipy: Heard,
}

/// How a tone comes out.
#[derive(serde::Deserialize)]
struct Heard {
    gain_db: Option<f64>,
    phase: Option<f64>,
    /// Of all that is heard, at the tone's own frequency or another.
    level_db: f64,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../tests/fixtures/resample.json")).unwrap()
}

/// Half a second of a tone, as it comes out; measured as the script does.
fn ours(case: &Case) -> Heard {
    let at = |i: u32| (TAU * case.hz * f64::from(i) / f64::from(case.from)).sin() as f32;
    let sound = Sound {
        samples: (0..case.from / 2).map(at).collect(),
        sample_rate_hz: case.from,
    };
    let found = resample(&sound, case.to).unwrap();
    let part = case.to / 10..case.to / 10 * 4;
    let count = f64::from(part.end - part.start);
    let (mut re, mut im, mut power, mut sum) = (0.0, 0.0, 0.0, 0.0);
    for i in part.clone() {
        let window = 0.5 - 0.5 * (TAU * f64::from(i - part.start + 1) / (count + 1.0)).cos();
        let sample = f64::from(found[i as usize]);
        let angle = TAU * case.hz * f64::from(i) / f64::from(case.to);
        re += 2.0 * window * sample * angle.sin();
        im += 2.0 * window * sample * angle.cos();
        power += window * sample * sample;
        sum += window;
    }
    let db = |amplitude: f64| 20.0 * amplitude.max(1e-10).log10();
    Heard {
        gain_db: Some(db(re.hypot(im) / sum)),
        phase: Some(im.atan2(re)),
        level_db: db((2.0 * power / sum).sqrt()),
    }
}

#[test]
fn what_the_lower_rate_holds_comes_out_as_it_went_in() {
    let kept: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.share <= 0.9)
        .collect();
    assert_eq!(kept.len(), 5 * 8);
    for case in kept {
        let name = format!("{} Hz from {} to {}", case.hz, case.from, case.to);
        let (ours, soxr) = (ours(&case), &case.soxr);
        let (gain_db, phase) = (ours.gain_db.unwrap(), ours.phase.unwrap());
        // A ripple of a thousandth of a decibel, where soxr has a hundredth.
        assert!(gain_db.abs() < 0.001, "{name}: {gain_db} dB");
        assert!(
            (gain_db - soxr.gain_db.unwrap()).abs() < 0.01,
            "{name}: {gain_db} dB"
        );
        // A microradian would be a shift by a millionth of a sample or so.
        assert!(
            (phase - soxr.phase.unwrap()).abs() < 2e-6,
            "{name}: {phase} rad"
        );
        // SciPy's filter is shorter, and bends before.
        if case.share <= 0.85 {
            let scipy = case.scipy.gain_db.unwrap();
            assert!(
                (gain_db - scipy).abs() < 0.06,
                "{name}: {gain_db} dB, {scipy} dB"
            );
            assert!(
                (phase - case.scipy.phase.unwrap()).abs() < 2e-6,
                "{name}: {phase} rad"
            );
        }
        // Nothing is heard besides the tone: no image of it, no echo.
        assert!(
            (ours.level_db - gain_db).abs() < 0.001,
            "{name}: {} dB",
            ours.level_db
        );
    }
}

#[test]
fn what_the_new_rate_cannot_hold_is_as_quiet_as_in_soxr() {
    let lost: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.share >= 1.0)
        .collect();
    assert_eq!(lost.len(), 3 * 7);
    for case in lost {
        let name = format!("{} Hz from {} to {}", case.hz, case.from, case.to);
        let level_db = ours(&case).level_db;
        // Single precision ends there.
        assert!(level_db < -130.0, "{name}: {level_db} dB");
        assert!(
            level_db < case.soxr.level_db + 10.0,
            "{name}: {level_db} dB"
        );
        assert!(
            level_db < case.scipy.level_db || case.scipy.level_db < -130.0,
            "{name}"
        );
    }
}

#[test]
fn the_edge_between_them_is_no_wider_than_in_soxr() {
    let edge: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.share > 0.9 && case.share < 1.0)
        .collect();
    assert_eq!(edge.len(), 5 * 3);
    for case in edge {
        let name = format!("{} Hz from {} to {}", case.hz, case.from, case.to);
        let found = ours(&case);
        let (gain_db, phase) = (found.gain_db.unwrap(), found.phase.unwrap());
        assert!(gain_db < 0.001, "{name}: {gain_db} dB");
        // Where soxr still lets a tone through, so do we.
        let soxr = case.soxr.gain_db.unwrap();
        assert!(
            gain_db > soxr - 0.01 || soxr < -30.0,
            "{name}: {gain_db} dB, {soxr} dB"
        );
        assert!(phase.abs() < 1e-5, "{name}: {phase} rad");
    }
}
