//! Renders a report of made-up numbers, to look at the page while changing it:
//! `cargo run -p sensorium-eval --example report -- report.html [CLASSES]`.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "report.html".into());
    let classes = arguments.next().and_then(|number| number.parse().ok());
    let report = classes.map_or_else(synthetic::av_digits, synthetic::many_classes);
    print!(
        "{}",
        sensorium_eval::text_table(report.test.as_ref(), report.ablation.as_ref())
    );
    std::fs::write(&path, sensorium_eval::render(&report))?;
    println!("\n{path}");
    Ok(())
}
