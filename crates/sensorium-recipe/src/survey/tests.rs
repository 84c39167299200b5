//! Data sets with something wrong in them.

use std::path::Path;

use sensorium_data::Columns;
use sensorium_vision::Picture;

use super::{Alike, Leak, Survey, survey};
use crate::{Recipe, Silent};

/// A picture that differs by number, as a bitmap of any size.
fn bitmap(number: usize, side: usize) -> Vec<u8> {
    let pixel = |i: usize| {
        let (x, y) = (
            (i % side) as f64 / side as f64,
            (i / side) as f64 / side as f64,
        );
        let n = number as f64;
        (128.0 + 60.0 * ((7.0 * x * (1.0 + n % 3.0) + n).sin() + (5.0 * y + 2.0 * n).cos())) as u8
    };
    let picture = Picture::new(
        side,
        side,
        3,
        (0..side * side).flat_map(|i| [pixel(i); 3]).collect(),
    );
    let size = 54 + 3 * side * side;
    let mut bytes = b"BM".to_vec();
    for number in [
        size as u32,
        0,
        54,
        40,
        side as u32,
        side as u32,
        1 | 24 << 16,
        0,
        0,
        0,
        0,
        0,
        0,
    ] {
        bytes.extend(number.to_le_bytes());
    }
    // Rows from below; the side is a multiple of four.
    for y in (0..side).rev() {
        bytes.extend((0..side).flat_map(|x| picture.pixel(x, y).to_vec()));
    }
    bytes
}

fn check(dir: &Path, manifest: &str, recipe: Option<&Recipe>) -> Survey {
    let path = dir.join("m.csv");
    std::fs::write(&path, manifest).unwrap();
    survey(&path, &Columns::default(), recipe, 2, &mut Silent).unwrap()
}

#[test]
fn what_is_wrong_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, bytes) in [
        ("1.bmp", bitmap(1, 64)),
        ("2.bmp", bitmap(2, 64)),
        ("1-small.bmp", bitmap(1, 40)),
        ("1-again.bmp", bitmap(1, 64)),
        ("cut.bmp", bitmap(3, 64)[..4000].to_vec()),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let survey = check(
        dir,
        "id,image,text,label,split,group\n\
         a,1.bmp,one,cat,train,ann\n\
         b,2.bmp,two,dog,train,bob\n\
         c,1-again.bmp,one,dog,train,ann\n\
         d,1-small.bmp,other,cat,test,ann\n\
         e,cut.bmp,x,cat,test,\n\
         f,none.bmp,x,cat,test,\n\
         g,2.bmp,y,,valid,\n",
        None,
    );
    assert_eq!(survey.rows, 5);
    let parts: Vec<(&str, usize, usize)> = survey
        .parts
        .iter()
        .map(|p| (p.name.as_str(), p.rows, p.unlabelled))
        .collect();
    assert_eq!(parts, [("train", 3, 0), ("valid", 1, 1), ("test", 1, 0)]);
    assert_eq!(
        survey.parts[0].labels,
        [("cat".to_owned(), 1), ("dog".to_owned(), 2)].into()
    );
    let width = survey.inputs["image"].sizes["width"];
    assert_eq!((width.min, width.median, width.max), (40.0, 64.0, 64.0));
    let pair = |one: &str, other: &str| Alike {
        rows: 1,
        first: vec![[one.to_owned(), other.to_owned()]],
    };
    assert_eq!(
        (&survey.duplicates, survey.differently_labelled),
        (&pair("a", "c"), 1)
    );
    assert_eq!(survey.near["image"], pair("a", "d"));
    let leak = |what: &str, part: &str, alike| Leak {
        what: what.to_owned(),
        part: part.to_owned(),
        alike,
    };
    let expected = [
        leak("same group", "test", pair("a", "d")),
        leak("same image", "valid", pair("b", "g")),
        leak("nearly the same image", "test", pair("a", "d")),
    ];
    assert_eq!(survey.leaks, expected);
    let broken: Vec<String> = survey.broken.iter().map(ToString::to_string).collect();
    assert!(
        broken[0].ends_with("none.bmp does not exist")
            && broken[1].contains("m.csv:6, column image: "),
        "{broken:?}"
    );
}

#[test]
fn a_recipe_says_what_is_looked_at_and_how_rows_are_parted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("no.bmp"), "no picture").unwrap();
    let mut manifest = "photo,words,kind\n".to_owned();
    (0..20).for_each(|i| manifest.push_str(&format!("no.bmp,number {i},{}\n", i % 2)));
    let text = r#"name = "t"
        [data]
        columns = { label = "kind", inputs.text = { column = "words", holds = "text" } }
        split = { valid = 0.2, test = 0.2 }
        [encoders.text]
        d_model = 8"#;
    let recipe = Recipe::parse("t", text, &[]).unwrap();
    let survey = check(dir, &manifest, Some(&recipe));
    assert!(survey.broken.is_empty() && survey.inputs.len() == 1);
    let parts: Vec<(&str, usize)> = survey
        .parts
        .iter()
        .map(|p| (p.name.as_str(), p.rows))
        .collect();
    assert_eq!(parts, [("train", 12), ("valid", 4), ("test", 4)]);
    assert_eq!(survey.inputs["text"].sizes["characters"].min, 8.0);
}

#[test]
fn data_sets_that_are_mixed_are_looked_at_together_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let others = dir.path().join("more.csv");
    std::fs::write(
        &others,
        "text,label,split\nit purrs,0,train\nit howls,1,train\nit is tested on,1,test\n",
    )
    .unwrap();
    let sets = [
        format!("data.also={:?}", [others.display().to_string()]),
        "data.weights=[1, 3]".to_owned(),
    ];
    let text = "name = \"x\"\n[encoders.text]\nd_model = 8\nn_layers = 1\nn_heads = 2\n";
    let recipe = Recipe::parse("x.toml", text, &sets).unwrap();
    let manifest = "text,label,split\nit barks,1,train\nit purrs,0,test\n";
    let found = check(dir.path(), manifest, Some(&recipe));
    let named = found.data_sets.iter().map(|set| (set.rows, set.weight));
    assert_eq!(named.collect::<Vec<_>>(), [(2, Some(1.0)), (2, Some(3.0))]);
    assert_eq!(found.data_sets[1].name, others.display().to_string());
    assert_eq!(found.rows, 4);
    let [leak] = &found.leaks[..] else {
        panic!("{:?}", found.leaks)
    };
    assert_eq!(
        (leak.what.as_str(), leak.part.as_str()),
        ("same text", "test")
    );
    assert!(leak.alike.first[0][0].starts_with(&found.data_sets[1].name));
    // Without the others there is nothing to name.
    let alone = Recipe::parse("x.toml", text, &[]).unwrap();
    let found = check(dir.path(), manifest, Some(&alone));
    assert!(found.data_sets.is_empty() && found.leaks.is_empty());
}
