//! Random changes of images in training, each asked for by a number and off without one.

mod colour;
mod draw;
mod focus;
mod light;
mod place;
mod rand_augment;
mod tone;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_parity;
#[cfg(test)]
mod tests_shapes;

use sensorium_core::{Changes, SampleRng, changes_key, need};
use serde::{Deserialize, Serialize};

use crate::{Error, ImageSample};
use draw::{Draw, More, stream};
use place::{Motion, Part};

pub use rand_augment::RandAugment;

/// How much a training image may be changed. By default not at all; mild values are named at each.
///
/// Amounts of light are in pixels of 0..1, whatever the normalisation. Where a changed image shows
/// what lay outside of it, the pixels at its edge are repeated.
///
/// An image is cropped, then sheared, turned, mirrored, made larger and moved in one go; then colours change, in the order of
/// the keys from `saturation` on; then contrast, brightness and noise; and last a rectangle is erased. Each setting draws its
/// own numbers: adding one leaves what the others do as it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// A part of at least this share of the area, of 3:4 to 4:3, is cut out and made as large as the whole. SimCLR's
    /// (arXiv 2002.05709, appendix A) and Inception's: 0.08; mild: 0.6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<f32>,
    /// Moved in each direction by up to this share of the side; mild: 0.1.
    pub shift: f32,
    /// Made larger or smaller by up to this share; larger crops; mild: 0.1.
    pub zoom: f32,
    /// Turned by up to this many degrees either way; mild: 10.
    pub rotate_deg: f32,
    /// Rows move against each other by up to so many columns for each row, and columns likewise; mild: 0.1.
    pub shear: f32,
    /// Mirrored left to right for one in two. Wrong for digits, letters and road signs.
    pub flip: bool,
    /// Chance that light and colour change at all as `brightness`, `contrast`, `saturation` and `hue` say. SimCLR's: 0.8.
    pub jitter_chance: f32,
    /// Light added or taken, up to this much; mild: 0.1.
    pub brightness: f32,
    /// Contrast around the mean, raised or lowered by up to this share; mild: 0.2.
    pub contrast: f32,
    /// Distance from grey, raised or lowered by up to this share; mild: 0.2. A grey image stays as it is.
    pub saturation: f32,
    /// Hues move along their circle by up to this part of it either way; mild: 0.05. A grey image stays as it is.
    pub hue: f32,
    /// Chance that a colour image becomes grey. SimCLR's: 0.2.
    pub grayscale: f32,
    /// Sharpness raised or lowered by up to this share; mild: 0.3.
    pub sharpness: f32,
    /// Chance that an image is blurred by a Gaussian over a tenth of its side, of 0.1 to 2 pixels. SimCLR's: 0.5.
    pub blur: f32,
    /// Chance that each channel is stretched to reach from 0 to 1.
    pub autocontrast: f32,
    /// Chance that the values of each channel are spread evenly over 0..1; with fewer than 256 pixels nothing happens.
    pub equalize: f32,
    /// Chance that only 4 bits are left of each value.
    pub posterize: f32,
    /// Chance that what is brighter than a half becomes its negative. BYOL's (arXiv 2006.07733), for one of two views: 0.2.
    pub solarize: f32,
    /// Deviation of normal noise added to each pixel and channel; mild: 0.02.
    pub noise: f32,
    /// Chance that a rectangle of 2 to 20 % of the area is set to the mean (random erasing, arXiv 1708.04896); mild: 0.25.
    pub erase: f32,
    /// So many changes out of fourteen, before contrast and brightness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rand_augment: Option<RandAugment>,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            crop: None,
            shift: 0.0,
            zoom: 0.0,
            rotate_deg: 0.0,
            shear: 0.0,
            flip: false,
            jitter_chance: 1.0,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            hue: 0.0,
            grayscale: 0.0,
            sharpness: 0.0,
            blur: 0.0,
            autocontrast: 0.0,
            equalize: 0.0,
            posterize: 0.0,
            solarize: 0.0,
            noise: 0.0,
            erase: 0.0,
            rand_augment: None,
        }
    }
}

impl AugmentConfig {
    /// As SimCLR changes photographs (arXiv 2002.05709, appendix A): crop, mirror, colour at full strength, grey, blur.
    ///
    /// # Differs from the paper
    /// Light is added, by up to 0.4, and not multiplied by 0.2 to 1.8; jitter has one order.
    pub fn simclr() -> Self {
        Self {
            crop: Some(0.08),
            flip: true,
            jitter_chance: 0.8,
            brightness: 0.4,
            contrast: 0.8,
            saturation: 0.8,
            hue: 0.2,
            grayscale: 0.2,
            blur: 0.5,
            ..Self::default()
        }
    }

    /// The strong changes that go with these where nobody names others, as in FixMatch (arXiv 2001.07685): these, two changes
    /// of [`RandAugment`], and a rectangle erased. Mirrored is only what these mirror.
    pub fn stronger(&self) -> Self {
        Self {
            rand_augment: Some(RandAugment::default()),
            erase: 1.0,
            ..*self
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_as(Changes::Usual)
    }

    /// The same of one of the two tables.
    pub(crate) fn validate_as(&self, table: Changes) -> Result<(), Error> {
        macro_rules! within {
            ($($key:ident: $limit:literal),+) => {
                $(need(
                    (0.0..=$limit).contains(&self.$key),
                    match table {
                        Changes::Usual => concat!("augment.", stringify!($key)),
                        Changes::Strong => concat!("strong.", stringify!($key)),
                    },
                    || format!("{}; use 0 (off) to {}", self.$key, $limit),
                )?;)+
            };
        }
        if let Some(share) = self.crop {
            let fits = share > 0.0 && share <= 1.0;
            need(fits, changes_key!(table, "crop"), || {
                format!("{share}; use a share of the area above 0, to 1, or leave it out")
            })?;
        }
        within!(
            shift: 0.5, zoom: 0.9, rotate_deg: 180.0, shear: 0.5, jitter_chance: 1.0, brightness: 1.0, contrast: 1.0,
            saturation: 1.0, hue: 0.5, grayscale: 1.0, sharpness: 1.0, blur: 1.0, autocontrast: 1.0, equalize: 1.0,
            posterize: 1.0, solarize: 1.0, noise: 1.0, erase: 1.0
        );
        if let Some(rand_augment) = &self.rand_augment {
            rand_augment.validate(table)?;
        }
        Ok(())
    }

    /// Changes a sample in which black and white are these numbers, by channel. The same generator makes the same change,
    /// and one setting does not alter what another draws.
    pub(crate) fn apply(
        &self,
        mut sample: ImageSample,
        black_and_white: &[[f32; 2]],
        rng: &mut SampleRng,
    ) -> ImageSample {
        if *self == Self::default() || sample.pixels().is_empty() {
            return sample;
        }
        let more = More::new(rng);
        // Streams begin where the generator stands, before it is drawn from.
        let (mut crop, mut few) = (stream(rng, 3), stream(rng, 4));
        let draw = Draw::new(rng);
        let config = self.jittered(more.jitter);
        let [_, height, width] = sample.dims();
        if let Some(least) = config.crop {
            let part = Part::draw(height, width, least, &mut crop);
            sample = place::resized(&sample, part);
        }
        if config.moves() {
            sample = Motion::of(&config, &draw, &more, sample.dims()).apply(&sample);
        }
        if config.colours() {
            light::to_unit(&mut sample, black_and_white);
            config.colour(&mut sample, &more, &mut few);
            light::from_unit(&mut sample, black_and_white);
        }
        config.light(&mut sample, black_and_white, &draw, rng);
        if draw.erase_chance < config.erase {
            light::erase(&mut sample, &draw);
        }
        sample
    }

    /// The same without the changes of light and colour that a chance decides of together, unless it is met.
    fn jittered(&self, drawn: f32) -> Self {
        match drawn < self.jitter_chance {
            true => *self,
            false => Self {
                brightness: 0.0,
                contrast: 0.0,
                saturation: 0.0,
                hue: 0.0,
                ..*self
            },
        }
    }

    /// Whether anything is moved.
    fn moves(&self) -> bool {
        let amounts = [self.shift, self.zoom, self.rotate_deg, self.shear];
        self.flip || amounts.iter().any(|amount| *amount > 0.0)
    }

    /// Whether pixels of 0..1 are changed.
    fn colours(&self) -> bool {
        let amounts = [
            self.saturation,
            self.hue,
            self.grayscale,
            self.sharpness,
            self.blur,
            self.autocontrast,
            self.equalize,
            self.posterize,
            self.solarize,
        ];
        self.rand_augment.is_some() || amounts.iter().any(|amount| *amount > 0.0)
    }

    /// Changes pixels of 0..1.
    fn colour(&self, sample: &mut ImageSample, more: &More, few: &mut SampleRng) {
        if self.saturation > 0.0 {
            colour::saturate(sample, 1.0 + self.saturation * more.saturation);
        }
        if self.hue > 0.0 {
            colour::shift_hue(sample, self.hue * more.hue);
        }
        if more.grayscale < self.grayscale {
            colour::grey_out(sample);
        }
        if self.sharpness > 0.0 {
            focus::sharpen(sample, 1.0 + self.sharpness * more.sharpness);
        }
        if more.blur < self.blur {
            let [_, height, width] = sample.dims();
            // SimCLR's kernel of a tenth of the side, and at least the pixels beside each.
            let radius = (height.min(width) / 20).max(1);
            focus::blur(sample, radius, 0.1 + 1.9 * more.blur_sigma);
        }
        if more.autocontrast < self.autocontrast {
            tone::autocontrast(sample);
        }
        if more.equalize < self.equalize {
            tone::equalize(sample);
        }
        if more.posterize < self.posterize {
            tone::posterize(sample, 4);
        }
        if more.solarize < self.solarize {
            tone::solarize(sample, 0.5);
        }
        if let Some(rand_augment) = &self.rand_augment {
            rand_augment.apply(sample, few);
        }
    }
}
