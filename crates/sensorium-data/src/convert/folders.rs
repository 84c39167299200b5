//! Class folders: `CLASS/FILE`, or `train/CLASS/FILE`.

use super::{Aside, Converted, Job, content};
use crate::{Error, Row};

pub(super) fn write(mut job: Job<'_>) -> Result<Converted, Error> {
    let out = job.out;
    let parted = job.table.rows.refs().any(|row| row.split().is_some());
    let aside = Aside::folder(out)?;
    let mut lost = std::collections::BTreeSet::new();
    let io = |error| Error::io(out, "write", error);
    job.each(|row, name| {
        let refuse = |reason: &str| Err(Error::broken(std::path::Path::new(&row.place.to_string()), None, reason));
        let (Some((modality, source)), 1) = (row.inputs.iter().next(), row.inputs.len()) else {
            return refuse("a class folder holds one file a row, and this row has several inputs: write shards or a manifest");
        };
        let Some(label) = row.label.as_deref().filter(|label| is_name(label)) else {
            return refuse("a class folder is named by the label, and this row has none that is a name of a folder");
        };
        let mut folder = aside.path().to_owned();
        match (parted, row.split) {
            (true, None) => return refuse("has no split, and other rows have one"),
            (true, Some(_)) => folder.push(super::part(row)),
            (false, _) => {}
        }
        folder.push(label);
        std::fs::create_dir_all(&folder).map_err(io)?;
        let bytes = content::read(row, source)?;
        let extension = content::telling(modality, source, &bytes);
        if extension.contains('.') {
            return refuse("a class folder tells the modality by the file's extension, and this file's is another");
        }
        std::fs::write(folder.join(format!("{name}.{extension}")), &bytes[..]).map_err(io)?;
        note_lost(row, &mut lost);
        Ok(())
    })?;
    aside.finish()?;
    let mut done = job.done(job.table.rows.len());
    if !lost.is_empty() {
        let lost: Vec<String> = lost.into_iter().collect();
        done.notes.push(format!(
            "class folders have no place for the columns {}",
            lost.join(", ")
        ));
    }
    Ok(done)
}

fn note_lost(row: &Row, lost: &mut std::collections::BTreeSet<String>) {
    lost.extend(row.group.iter().map(|_| "group".to_owned()));
    for key in row
        .meta
        .keys()
        .filter(|key| !lost.contains(&***key))
        .collect::<Vec<_>>()
    {
        lost.insert(key.to_string());
    }
}

fn is_name(label: &str) -> bool {
    let bad = |c: char| c.is_control() || "/\\:".contains(c);
    !label.is_empty() && !label.starts_with('.') && !label.chars().any(bad) && label.len() <= 200
}
