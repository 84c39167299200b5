//! A search among many never takes the memory of its matrix, nor many classes that of a second copy of their scores. In a process of
//! its own: memory is counted for all of it.

use peak_alloc::PeakAlloc;
use sensorium_eval::{Classification, Error, Retrieval};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes taken above what was there, at the most.
fn peak(work: impl FnOnce()) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    work();
    MEMORY.peak_usage() - before
}

#[test]
fn memory_is_that_of_a_block_and_of_a_class() {
    let (n, block) = (4000, 16);
    let mut counts = Retrieval::new();
    // The earlier a candidate, the better; so that the right one of query 7 comes after seven others.
    let row = || (0..n).map(|candidate| (n - candidate) as f32);
    let used = peak(|| {
        let similarity = |range: std::ops::Range<usize>| {
            let mut scores = Vec::with_capacity(range.len() * n);
            range.for_each(|_| scores.extend(row()));
            Ok::<_, Error>(scores)
        };
        let right = |query| [query];
        counts.by_blocks(n, n, block, right, similarity).unwrap();
    });
    let (matrix, allowed) = (4 * n * n, 4 * n * block + 16 * n);
    assert!(used < allowed && allowed < matrix / 100, "{used} bytes");
    assert!(counts.ranks().iter().copied().eq(1..=n as u32));

    let (samples, classes) = (1000, 300);
    let rows = vec![vec![1.0 / classes as f32; classes]; samples];
    let rows = rows.iter().enumerate();
    let rows: Vec<(usize, &[f32])> = rows.map(|(i, row)| (i % classes, &row[..])).collect();
    let mut counts = Classification::new((0..classes).map(|class| class.to_string())).unwrap();
    for (target, row) in &rows {
        counts.add(*target, row).unwrap();
    }
    let report = counts.finish();
    let mut auroc = None;
    let used = peak(|| auroc = report.with_probabilities(&rows).unwrap().auroc);
    assert_eq!(auroc, Some(0.5));
    assert!(used < 4 * samples * classes / 100, "{used} bytes");
}
