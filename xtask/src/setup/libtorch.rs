//! libtorch 2.9.0 out of PyTorch's wheel on PyPI, or one that is already there.
//!
//! The wheel for Linux on x86-64 is built for CUDA and wants 3 GB of NVIDIA's libraries. Its CPU half needs only two small
//! ones of them, so the CPU half is all that is kept: headers, the CPU libraries and those two. It lies in the cache
//! folder as an ordinary libtorch, which is what the build of the bindings takes through `LIBTORCH`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// What the bindings are made for.
const VERSION: &str = "2.9.0";
/// What the CPU library of the CUDA build loads besides itself; as PyTorch's own requirements pin them.
const CPU_HALF_NEEDS: [&str; 2] = [
    "nvidia-cuda-runtime-cu12==12.8.90",
    "nvidia-cuda-cupti-cu12==12.8.90",
];
/// Python versions PyTorch 2.9.0 has wheels for; any will do, as no Python runs.
const WHEEL_FOR: &str = "3.11";
/// Where the libraries go to load each other.
const LIBRARY_PATH: &str = if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Fetches libtorch unless one is there.
pub(crate) fn set_up(cuda: bool) -> Result<()> {
    match locate() {
        Ok(found) if !cuda || found.join("lib/libtorch_cuda.so").exists() => {
            println!("libtorch: ready, {}", found.display());
            return Ok(());
        }
        Err(problem) if std::env::var_os("LIBTORCH").is_some() => return Err(problem),
        _ => {}
    }
    if !cfg!(any(target_os = "linux", target_os = "macos")) {
        bail!(
            "on this system, unpack libtorch {VERSION} from pytorch.org and set LIBTORCH to its folder"
        );
    }
    let cache = super::cache()?;
    fs::create_dir_all(&cache)
        .with_context(|| format!("cannot make the folder {}", cache.display()))?;
    // Beside the place it goes to, so that the last step is a rename: what is there is always whole.
    let scratch = cache.join(format!("libtorch-{VERSION}.{}", std::process::id()));
    let done = fetch(&scratch, cuda).and_then(|made| put(&made, &ours()?));
    let _ = fs::remove_dir_all(&scratch);
    done?;
    println!("libtorch: ready, {}", ours()?.display());
    Ok(())
}

/// The libtorch to build with: `LIBTORCH`, or what [`set_up`] made.
///
/// # Errors
/// If there is none, or it is of another version.
pub(crate) fn locate() -> Result<PathBuf> {
    let (path, given) = match std::env::var_os("LIBTORCH").filter(|value| !value.is_empty()) {
        Some(path) => (PathBuf::from(path), true),
        None => (ours()?, false),
    };
    let origin = if given {
        "LIBTORCH points to"
    } else {
        "there is"
    };
    if !path.join("lib").is_dir() || !path.join("include/torch").is_dir() {
        if given {
            bail!(
                "LIBTORCH points to {}, which is no libtorch (it has no lib or no include/torch); unset it and run \
                 `cargo xtask setup libtorch`",
                path.display()
            );
        }
        bail!("the libtorch backend needs libtorch {VERSION}: run `cargo xtask setup libtorch`");
    }
    let version = fs::read_to_string(path.join("build-version"))
        .or_else(|_| fs::read_to_string(path.join("version.py")))
        .unwrap_or_default();
    if !version.is_empty() && !version.contains(VERSION) {
        bail!(
            "{origin} a libtorch of another version than {VERSION} in {}; unset LIBTORCH and run \
             `cargo xtask setup libtorch`",
            path.display()
        );
    }
    Ok(path)
}

/// What building with libtorch and running it need.
///
/// # Errors
/// If it is not set up.
pub(crate) fn environment() -> Result<Vec<(&'static str, OsString)>> {
    let path = locate()?;
    let mut libraries = vec![path.join("lib")];
    if let Some(given) = std::env::var_os(LIBRARY_PATH) {
        libraries.extend(std::env::split_paths(&given));
    }
    Ok(vec![
        (LIBRARY_PATH, std::env::join_paths(libraries)?),
        ("LIBTORCH", path.into_os_string()),
    ])
}

fn ours() -> Result<PathBuf> {
    Ok(super::cache()?.join(format!("libtorch-{VERSION}")))
}

/// Downloads into `scratch` and lays a libtorch out there.
fn fetch(scratch: &Path, cuda: bool) -> Result<PathBuf> {
    let site = scratch.join("site");
    fs::create_dir_all(&site)?;
    let mut pip = super::python::pip(scratch)?;
    pip.args([
        "install",
        "--progress-bar",
        "off",
        "--no-compile",
        "--target",
    ])
    .arg(&site);
    if cuda {
        pip.arg(format!("torch=={VERSION}"));
    } else {
        pip.args([
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            WHEEL_FOR,
        ]);
        pip.arg(format!("torch=={VERSION}"));
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            pip.args(CPU_HALF_NEEDS);
        }
    }
    println!("libtorch: downloading PyTorch {VERSION}, about 1 GB (5 GB with --cuda)");
    cargo::must(&mut pip).context("PyTorch cannot be downloaded")?;

    let made = scratch.join("libtorch");
    let torch = site.join("torch");
    if cuda {
        // Its libraries find NVIDIA's by their place beside each other, so all stays as it was installed.
        fs::rename(&site, &made)?;
        for part in ["include", "lib"] {
            link(&format!("torch/{part}"), &made.join(part))?;
        }
    } else {
        fs::create_dir_all(made.join("lib"))?;
        fs::rename(torch.join("include"), made.join("include"))?;
        keep_cpu_half(&torch.join("lib"), &site, &made.join("lib"))?;
    }
    fs::write(made.join("build-version"), format!("{VERSION}\n"))?;
    Ok(made)
}

/// Moves the CPU libraries, and NVIDIA's two where they were downloaded.
fn keep_cpu_half(from: &Path, site: &Path, to: &Path) -> Result<()> {
    let mut folders = vec![from.to_owned()];
    for part in ["cuda_runtime", "cuda_cupti"] {
        folders.push(site.join("nvidia").join(part).join("lib"));
    }
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for file in fs::read_dir(folder)? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            if is_of_cpu_half(&name) {
                fs::rename(file.path(), to.join(&*name))?;
            }
        }
    }
    // The library of this name pulls in CUDA. All of its CPU content is in libtorch_cpu.
    if cfg!(target_os = "linux") {
        link("libtorch_cpu.so", &to.join("libtorch.so"))?;
    }
    Ok(())
}

fn is_of_cpu_half(name: &str) -> bool {
    if name.ends_with(".dylib") {
        return true;
    }
    let known = ["libc10.so", "libtorch_cpu.so"];
    let prefixes = [
        "libcudart.so",
        "libcupti.so",
        "libgomp",
        "libarm_compute",
        "libopenblas",
        "libgfortran",
    ];
    known.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Puts `made` at `place`, in one step.
fn put(made: &Path, place: &Path) -> Result<()> {
    if place.exists() {
        // Left from an attempt that was cut off, or without CUDA.
        fs::remove_dir_all(place)?;
    }
    fs::rename(made, place).with_context(|| format!("cannot move it to {}", place.display()))
}

#[cfg(unix)]
fn link(target: &str, place: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, place)?;
    Ok(())
}

#[cfg(not(unix))]
fn link(_target: &str, _place: &Path) -> Result<()> {
    bail!("links are made on Unix only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cpu_half_is_kept() {
        for name in [
            "libc10.so",
            "libtorch_cpu.so",
            "libgomp.so.1",
            "libcudart.so.12",
            "libcupti.so.12",
        ] {
            assert!(is_of_cpu_half(name), "{name}");
        }
        for name in [
            "libtorch_cuda.so",
            "libtorch_python.so",
            "libtorch.so",
            "libc10_cuda.so",
            "libnvperf_host.so",
        ] {
            assert!(!is_of_cpu_half(name), "{name}");
        }
    }

    #[test]
    fn a_new_one_takes_the_place_of_a_broken_one() {
        let dir = tempfile::tempdir().unwrap();
        let (made, place) = (dir.path().join("made"), dir.path().join("place"));
        fs::create_dir_all(made.join("lib")).unwrap();
        fs::create_dir_all(place.join("half")).unwrap();
        put(&made, &place).unwrap();
        assert!(place.join("lib").is_dir() && !place.join("half").exists() && !made.exists());
    }
}
