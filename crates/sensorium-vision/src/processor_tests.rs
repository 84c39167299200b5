//! Files become samples, samples become batches, and an absent one is zeros that are marked.

use sensorium_core::{Processor, Source};
use sensorium_testkit::{bools, devices, floats};

use super::*;

fn sample(value: f32) -> ImageSample {
    ImageSample::new(1, 2, 2, vec![value; 4])
}

fn processor() -> ImageProcessor {
    ImageProcessor::new(PrepareConfig::new(2).with_channels(1)).expect("valid")
}

#[test]
fn absent_samples_are_zeros_and_marked() {
    for device in devices() {
        let (a, b) = (sample(1.0), sample(2.0));
        let batch = processor().collate(&[Some(&a), None, Some(&b)], &device);
        assert_eq!(batch.pixels.dims(), [3, 1, 2, 2]);
        let expected = [[1.0; 4], [0.0; 4], [2.0; 4]].concat();
        assert_eq!(floats(&batch.pixels), expected);
        assert_eq!(bools(&batch.present), [true, false, true]);

        let none = processor().collate(&[None], &device);
        assert_eq!(floats(&none.pixels), [0.0; 4]);
        assert_eq!(bools(&none.present), [false]);
    }
}

#[test]
#[should_panic(expected = "no samples to collate")]
fn an_empty_batch_is_a_mistake() {
    processor().collate(&[], &devices()[0]);
}

#[test]
#[should_panic(expected = "[1, 2, 2] is needed")]
fn a_sample_of_another_size_is_a_mistake() {
    let other = ImageSample::new(1, 3, 3, vec![0.0; 9]);
    processor().collate(&[Some(&other)], &devices()[0]);
}

#[test]
fn a_file_on_disk_and_its_bytes_give_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.png");
    let image = image::GrayImage::from_fn(5, 3, |x, y| image::Luma([(x * 50 + y) as u8]));
    image.save(&path).expect("can be written");
    let bytes = std::fs::read(&path).expect("can be read");
    let from_disk = processor().process(&Source::path(&path)).expect("a sample");
    let from_memory = processor()
        .process(&Source::bytes("a.png", bytes))
        .expect("a sample");
    assert_eq!(from_disk, from_memory);
    assert_eq!(from_disk.dims(), [1, 2, 2]);
}

#[test]
fn photographs_come_out_as_they_are() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/photos");
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("skipped: there is no {folder}");
        return;
    };
    let processor = ImageProcessor::new(PrepareConfig::clip()).expect("valid");
    let images = ["jpg", "jpeg", "png"];
    for path in files.filter_map(|file| Some(file.ok()?.path())) {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        if !images.contains(&extension) {
            continue;
        }
        let sample = processor
            .process(&Source::path(&path))
            .expect("a photograph");
        let pixels = sample.pixels();
        let mean = pixels.iter().sum::<f32>() / pixels.len() as f32;
        let deviation =
            pixels.iter().map(|p| (p - mean).powi(2)).sum::<f32>() / pixels.len() as f32;
        assert!(
            mean.abs() < 2.0 && (0.1..4.0).contains(&deviation),
            "{}",
            path.display()
        );
    }
}
