//! Tests of `new-modality` on a small tree of the same shape; the proof on the real workspace is `--selftest`.

use super::*;

const ROOT: &str = "[workspace]\nmembers = []\n\n[workspace.dependencies]\nsensorium-core = { path = \"a\" }\n\
    sensorium-testkit = { path = \"b\" }\n\nburn = \"1\"\n\n[profile.dev]\n";
const RECIPE: &str = "[package]\nname = \"sensorium-recipe\"\n\n[dependencies]\nsensorium-core.workspace = true\n\
    burn.workspace = true\n\n[dev-dependencies]\nsensorium-testkit.workspace = true\n";
const LIST: &str = "//! All.\n\nmodalities! {\n    text: sensorium_text::TextKit,\n    image: sensorium_vision::ImageKit,\n}\n\
    \nfn more() {\n}\n";

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(ROOT_MANIFEST, ROOT);
    write(RECIPE_MANIFEST, RECIPE);
    write(RECIPE_LIST, LIST);
    write(
        "xtask/template/Cargo.toml",
        "name = \"sensorium-template\"\n",
    );
    write(
        "xtask/template/src/lib.rs",
        "use sensorium_template::TemplateKit; const TEMPLATE: &str = \"template\";\n",
    );
    dir
}

fn read(dir: &tempfile::TempDir, path: &str) -> String {
    fs::read_to_string(dir.path().join(path)).unwrap()
}

#[test]
fn the_crate_is_renamed_and_registered() {
    let dir = tree();
    add(dir.path(), &Names::new("thermal_camera").unwrap()).unwrap();
    assert_eq!(
        read(&dir, "crates/sensorium-thermal-camera/Cargo.toml"),
        "name = \"sensorium-thermal-camera\"\n"
    );
    assert_eq!(
        read(&dir, "crates/sensorium-thermal-camera/src/lib.rs"),
        "use sensorium_thermal_camera::ThermalCameraKit; const THERMAL_CAMERA: &str = \"thermal_camera\";\n"
    );
    assert!(read(&dir, ROOT_MANIFEST).contains(
        "sensorium-testkit = { path = \"b\" }\nsensorium-thermal-camera = { path = \
         \"crates/sensorium-thermal-camera\", version = \"0.1.0\" }\n\nburn"
    ));
    assert!(read(&dir, RECIPE_MANIFEST).contains(
        "sensorium-core.workspace = true\nsensorium-thermal-camera.workspace = true\nburn.workspace"
    ));
    assert!(read(&dir, RECIPE_LIST).contains(
        "ImageKit,\n    thermal_camera: sensorium_thermal_camera::ThermalCameraKit,\n}\n\nfn more() {\n}\n"
    ));
}

#[test]
fn a_second_one_of_the_name_changes_nothing() {
    let dir = tree();
    let names = Names::new("thermal").unwrap();
    add(dir.path(), &names).unwrap();
    let before = read(&dir, RECIPE_LIST);
    assert!(
        add(dir.path(), &names)
            .unwrap_err()
            .to_string()
            .contains("there already")
    );
    fs::remove_dir_all(dir.path().join("crates/sensorium-thermal")).unwrap();
    assert!(add(dir.path(), &names).is_err());
    assert_eq!(read(&dir, RECIPE_LIST), before);
    assert!(!dir.path().join("crates/sensorium-thermal").exists());
}

#[test]
fn where_the_list_cannot_be_changed_nothing_is() {
    let dir = tree();
    fs::write(dir.path().join(RECIPE_LIST), "//! No list.\n").unwrap();
    let message = format!(
        "{:#}",
        add(dir.path(), &Names::new("thermal").unwrap()).unwrap_err()
    );
    assert!(
        message.contains("modalities.rs") && message.contains("modalities! {"),
        "{message}"
    );
    assert_eq!(read(&dir, ROOT_MANIFEST), ROOT);
    assert_eq!(read(&dir, RECIPE_MANIFEST), RECIPE);
    assert!(!dir.path().join("crates/sensorium-thermal").exists());
}

#[test]
fn where_a_file_cannot_be_written_all_is_undone() {
    let dir = tree();
    let names = Names::new("thermal").unwrap();
    // The last step of three fails: the file has become a folder's child.
    let edits = [
        edit(dir.path(), ROOT_MANIFEST, |text| {
            in_root_manifest(text, &names)
        })
        .unwrap(),
        Edit {
            path: dir.path().join("no/such/folder"),
            before: String::new(),
            after: String::new(),
        },
    ];
    assert!(write_all(&edits).is_err());
    // The same through `add`: a template that is not text cannot be copied.
    fs::write(dir.path().join(ROOT_MANIFEST), ROOT).unwrap();
    fs::write(dir.path().join("xtask/template/src/data.bin"), [0xff, 0xfe]).unwrap();
    assert!(
        add(dir.path(), &names)
            .unwrap_err()
            .to_string()
            .contains("nothing was added")
    );
    assert_eq!(read(&dir, ROOT_MANIFEST), ROOT);
    assert_eq!(read(&dir, RECIPE_LIST), LIST);
    assert!(!dir.path().join("crates/sensorium-thermal").exists());
    assert!(!dir.path().join("xtask/.sensorium-thermal").exists());
}

#[test]
fn names_that_cannot_be_are_refused() {
    for name in [
        "",
        "Thermal",
        "thermal-camera",
        "1d",
        "a__b",
        "a_",
        "ther mal",
        "template",
        "fn",
        "label",
        "../x",
    ] {
        assert!(Names::new(name).is_err(), "{name:?}");
    }
    for name in ["thermal", "point_cloud", "imu6"] {
        assert!(Names::new(name).is_ok(), "{name:?}");
    }
}
