//! `new-modality`: a crate for a new kind of input, out of the template that is compiled and tested like any other.
//!
//! All is prepared in memory and beside its place first; only then is anything changed, and undone if that fails.

mod proof;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::Workspace;
use crate::cli::NewModality;

const TEMPLATE: &str = "xtask/template";
const ROOT_MANIFEST: &str = "Cargo.toml";
const RECIPE_MANIFEST: &str = "crates/sensorium-recipe/Cargo.toml";
const RECIPE_LIST: &str = "crates/sensorium-recipe/src/modalities.rs";

/// Adds a modality, or proves in a scratch copy that one can be added.
pub(crate) fn run(args: &NewModality) -> Result<ExitCode> {
    let workspace = Workspace::here()?;
    let Some(name) = &args.name else {
        return proof::run(&workspace, args.backend.build_set());
    };
    let names = Names::new(name)?;
    add(&workspace.root, &names)?;
    let Names {
        modality,
        krate,
        kit,
        ..
    } = &names;
    println!(
        "added crates/{krate}: a modality {modality:?} that reads series of numbers, to be changed into yours\n\
         changed {ROOT_MANIFEST}, {RECIPE_MANIFEST} and {RECIPE_LIST}: recipes know it as `{modality}`\n\n\
         next:\n  \
         1. cargo test -p {krate}              passes now; keep it so while you change the crate\n  \
         2. crates/{krate}/src/series.rs       read your own kind of file there\n  \
         3. crates/{krate}/recipe.toml         a recipe to start from; the manifest's column is `{modality}`\n  \
         4. cargo xtask check                  before the commit\n\n\
         its kit is {kit}"
    );
    Ok(ExitCode::SUCCESS)
}

/// The spellings of a modality's name.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    /// In recipes and manifests: `thermal_camera`.
    modality: String,
    /// The package: `sensorium-thermal-camera`.
    krate: String,
    /// In paths: `sensorium_thermal_camera`.
    path: String,
    /// Of types: `ThermalCamera`.
    types: String,
    /// Of constants: `THERMAL_CAMERA`.
    constants: String,
    /// `sensorium_thermal_camera::ThermalCameraKit`.
    kit: String,
}

impl Names {
    fn new(modality: &str) -> Result<Self> {
        let starts_well = modality.starts_with(|c: char| c.is_ascii_lowercase());
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            starts_well
                && modality.chars().all(fine)
                && !modality.ends_with('_')
                && !modality.contains("__"),
            "{modality:?} is no name for a modality: take lower-case letters, digits and single `_`, a letter first, \
             such as thermal or point_cloud"
        );
        // Keywords, columns of manifests and what the template itself is called.
        const TAKEN: [&str; 22] = [
            "id", "label", "split", "group", "template", "fn", "mod", "use", "pub", "impl", "type",
            "match", "move", "ref", "self", "super", "crate", "struct", "enum", "trait", "async",
            "dyn",
        ];
        ensure!(
            !TAKEN.contains(&modality),
            "{modality:?} means something else already: take a longer name, such as {modality}_signal"
        );
        let words = || modality.split('_');
        let types: String = words()
            .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
            .collect();
        let path = format!("sensorium_{modality}");
        Ok(Self {
            modality: modality.to_owned(),
            krate: path.replace('_', "-"),
            kit: format!("{path}::{types}Kit"),
            path,
            types,
            constants: modality.to_ascii_uppercase(),
        })
    }

    /// The template's text with its name replaced, the longest spellings first.
    fn rename(&self, text: &str) -> String {
        text.replace("sensorium-template", &self.krate)
            .replace("sensorium_template", &self.path)
            .replace("TEMPLATE", &self.constants)
            .replace("Template", &self.types)
            .replace("template", &self.modality)
    }
}

/// Adds the crate and registers it; where that fails, nothing has changed.
fn add(root: &Path, names: &Names) -> Result<()> {
    let place = root.join("crates").join(&names.krate);
    ensure!(
        !place.exists(),
        "crates/{} is there already: take another name, or remove it first",
        names.krate
    );
    let edits = [
        edit(root, ROOT_MANIFEST, |text| in_root_manifest(text, names))?,
        edit(root, RECIPE_MANIFEST, |text| {
            in_recipe_manifest(text, names)
        })?,
        edit(root, RECIPE_LIST, |text| in_list(text, names))?,
    ];
    // Not under crates/, where a folder without a manifest would break the workspace.
    let scratch = root.join("xtask").join(format!(".{}", names.krate));
    let done = copy(&root.join(TEMPLATE), &scratch, names)
        .and_then(|()| Ok(fs::rename(&scratch, &place)?))
        .and_then(|()| write_all(&edits));
    if let Err(error) = done {
        for edit in &edits {
            let _ = fs::write(&edit.path, &edit.before);
        }
        let _ = fs::remove_dir_all(&scratch);
        let _ = fs::remove_dir_all(&place);
        return Err(error.context("nothing was added"));
    }
    Ok(())
}

/// A file as it was and as it is to be.
struct Edit {
    path: PathBuf,
    before: String,
    after: String,
}

fn edit(root: &Path, file: &str, change: impl Fn(&str) -> Result<String>) -> Result<Edit> {
    let path = root.join(file);
    let before = fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
    let after = change(&before).with_context(|| format!("{file} cannot be changed"))?;
    if file.ends_with(".toml") {
        after
            .parse::<toml_edit::DocumentMut>()
            .with_context(|| format!("{file} would be broken"))?;
    }
    Ok(Edit {
        path,
        before,
        after,
    })
}

fn write_all(edits: &[Edit]) -> Result<()> {
    for Edit { path, after, .. } in edits {
        fs::write(path, after).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Copies the template's files, renamed in name and text.
fn copy(from: &Path, to: &Path, names: &Names) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let target = to.join(names.rename(&name.to_string_lossy()));
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, names)?;
        } else {
            fs::write(&target, names.rename(&fs::read_to_string(entry.path())?))?;
        }
    }
    Ok(())
}

/// Inserts a line after the last one that begins with `prefix`, within the section that `header` opens.
fn after_last(text: &str, header: &str, prefix: &str, line: &str) -> Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines
        .iter()
        .position(|line| line.trim() == header)
        .with_context(|| format!("it has no {header}"))?;
    let end = lines[start + 1..]
        .iter()
        .position(|line| line.starts_with('['))
        .map_or(lines.len(), |length| start + 1 + length);
    let last = (start..end)
        .rev()
        .find(|at| lines[*at].starts_with(prefix))
        .with_context(|| format!("{header} has no line that begins with {prefix}"))?;
    let mut changed = lines;
    changed.insert(last + 1, line);
    Ok(changed.join("\n") + "\n")
}

fn in_root_manifest(text: &str, names: &Names) -> Result<String> {
    let krate = &names.krate;
    ensure!(
        !text.contains(&format!("\n{krate} = ")),
        "{krate} is a dependency already"
    );
    let line = format!("{krate} = {{ path = \"crates/{krate}\", version = \"0.1.0\" }}");
    after_last(text, "[workspace.dependencies]", "sensorium", &line)
}

fn in_recipe_manifest(text: &str, names: &Names) -> Result<String> {
    let line = format!("{}.workspace = true", names.krate);
    ensure!(
        !text.contains(&line),
        "{} is a dependency already",
        names.krate
    );
    after_last(text, "[dependencies]", "sensorium-", &line)
}

/// Adds a line to the block `modalities! { ... }`.
fn in_list(text: &str, names: &Names) -> Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let start = lines
        .iter()
        .position(|line| line.trim_end().ends_with("modalities! {"))
        .context("it has no block `modalities! {`")?;
    let end = lines[start..]
        .iter()
        .position(|line| line.trim() == "}")
        .map(|length| start + length)
        .context("its block `modalities! {` has no end")?;
    let Names { modality, kit, .. } = names;
    let known = |line: &String| line.trim_start().starts_with(&format!("{modality}:"));
    if lines[start..end].iter().any(known) {
        bail!("it knows a modality `{modality}` already");
    }
    lines.insert(end, format!("    {modality}: {kit},"));
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests;
