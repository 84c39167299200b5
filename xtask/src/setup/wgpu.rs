//! wgpu needs a Vulkan driver: the GPU's own, or Mesa's software one.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Debian's packages: the loader, and the drivers with lavapipe among them.
const PACKAGES: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];

/// Installs a Vulkan driver unless one is there.
pub(crate) fn set_up() -> Result<()> {
    if ready() {
        println!(
            "wgpu: ready, {}",
            if has_gpu() {
                "a GPU is here"
            } else {
                "a Vulkan driver is installed"
            }
        );
        return Ok(());
    }
    if has_gpu() {
        println!(
            "wgpu: a GPU is here, but no Vulkan driver; installing Mesa's. NVIDIA's comes with its own driver."
        );
    }
    super::apt::install(
        "wgpu",
        &PACKAGES,
        "install the driver of your GPU, or Mesa's software one (package vulkan-swrast, mesa-vulkan-drivers or similar)",
    )?;
    if !ready() {
        bail!(
            "the packages are installed, but no Vulkan driver is to be found; try `vulkaninfo --summary`"
        );
    }
    Ok(())
}

/// What a run needs: a folder of its own for the loader's sockets, where the session gave none.
///
/// # Errors
/// If there is no Vulkan driver.
pub(crate) fn environment() -> Result<Vec<(&'static str, OsString)>> {
    if !ready() {
        bail!("the wgpu backend needs a Vulkan driver: run `cargo xtask setup wgpu`");
    }
    if !cfg!(target_os = "linux") || std::env::var_os("XDG_RUNTIME_DIR").is_some() {
        return Ok(Vec::new());
    }
    let dir = super::cache()?.join("runtime");
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    #[cfg(unix)]
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(vec![("XDG_RUNTIME_DIR", dir.into_os_string())])
}

/// Whether something can open a Vulkan, Metal or DX12 device.
pub(crate) fn ready() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let loader = [
        "/usr/lib/x86_64-linux-gnu/libvulkan.so.1",
        "/usr/lib/aarch64-linux-gnu/libvulkan.so.1",
        "/usr/lib64/libvulkan.so.1",
        "/usr/lib/libvulkan.so.1",
        "/usr/local/lib/libvulkan.so.1",
    ];
    let driver = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some())
        || [
            "/usr/share/vulkan/icd.d",
            "/usr/local/share/vulkan/icd.d",
            "/etc/vulkan/icd.d",
        ]
        .into_iter()
        .any(|dir| std::fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some()));
    driver && loader.into_iter().any(|path| Path::new(path).exists())
}

/// Whether the machine has a GPU worth using, by what the kernel knows; elsewhere than on Linux, yes.
pub(crate) fn has_gpu() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    // NVIDIA, AMD, Intel: a virtual machine's display adapter is not among them.
    const MAKERS: [&str; 3] = ["0x10de", "0x1002", "0x8086"];
    if Path::new("/dev/nvidia0").exists() {
        return true;
    }
    let Ok(cards) = std::fs::read_dir("/sys/class/drm") else {
        return false;
    };
    cards.flatten().any(|card| {
        std::fs::read_to_string(card.path().join("device/vendor"))
            .is_ok_and(|vendor| MAKERS.contains(&vendor.trim()))
    })
}
