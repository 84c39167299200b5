//! The keys of a `preprocessor_config.json`, each believed only if its value can work.

use serde_json::{Map, Value};

use crate::{Error, Filter};

/// The longest side that is resized to or cut out, in pixels: 805 MB of floats an image.
const LONGEST: u64 = 8192;

/// What pictures are resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Exactly this height and width.
    Exact([usize; 2]),
    /// The shorter side to `edge`, but the longer one to no more than `longest`.
    Shortest { edge: usize, longest: Option<usize> },
}

/// The settings of a file.
pub(super) struct File<'a> {
    name: &'a str,
    map: Map<String, Value>,
}

impl<'a> File<'a> {
    pub(super) fn parse(name: &'a str, json: &str) -> Result<Self, Error> {
        let file = Self {
            name,
            map: Map::new(),
        };
        let value: Value = serde_json::from_str(json)
            .map_err(|error| file.error("the file", format!("is not JSON: {error}")))?;
        let Value::Object(mut map) = value else {
            return Err(file.error("the file", "is JSON, but no object; give the model's own"));
        };
        // A processor_config.json holds the image's settings beside the text's.
        let map = match map.remove("image_processor") {
            None => map,
            Some(Value::Object(inner)) => inner,
            Some(other) => return Err(file.wrong("image_processor", &other, "an object")),
        };
        Ok(Self { name, map })
    }

    pub(super) fn error(&self, key: &'static str, problem: impl Into<String>) -> Error {
        Error::Published {
            name: self.name.to_owned(),
            key,
            problem: problem.into(),
        }
    }

    fn wrong(&self, key: &'static str, value: &Value, right: &str) -> Error {
        // A hostile value may be of any length.
        let mut shown: String = value.to_string().chars().take(60).collect();
        if shown.chars().count() == 60 {
            shown.push('…');
        }
        self.error(key, format!("is {shown}; use {right}"))
    }

    /// A key's value; `null` is none, as in Transformers.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A key's value, or the class's default, or an error naming the key if there is neither.
    pub(super) fn or<T>(
        &self,
        key: &'static str,
        found: Option<T>,
        default: Option<T>,
    ) -> Result<T, Error> {
        found.or(default).ok_or_else(|| {
            self.error(
                key,
                "is missing, and the file names no class whose default is known; write it into the file",
            )
        })
    }

    /// The class that the file names.
    pub(super) fn class(&self) -> Result<Option<&str>, Error> {
        for key in ["image_processor_type", "feature_extractor_type"] {
            match self.get(key) {
                None => {}
                Some(Value::String(class)) => return Ok(Some(class)),
                Some(other) => return Err(self.wrong(key, other, "the name of a class")),
            }
        }
        Ok(None)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn switch(&self, key: &'static str) -> Result<Option<bool>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(other) => Err(self.wrong(key, other, "true or false")),
        }
    }

    /// Steps of other models that are not taken here, but for those that the class has: better no picture than another one.
    pub(super) fn refuse_other_steps(&self, but: &[&str]) -> Result<(), Error> {
        const OTHER: [&str; 12] = [
            "do_pad",
            "do_flip_channel_order",
            "do_thumbnail",
            "do_align_long_axis",
            "do_image_splitting",
            "do_pan_and_scan",
            "do_color_quantize",
            "rescale_offset",
            "keep_aspect_ratio",
            "crop_pct",
            "use_square_size",
            "image_grid_pinpoints",
        ];
        for key in OTHER.into_iter().filter(|key| !but.contains(key)) {
            match self.get(key) {
                None | Some(Value::Bool(false)) => {}
                Some(_) => {
                    return Err(self.error(
                        key,
                        "asks for a step that is not known here; prepare the images yourself",
                    ));
                }
            }
        }
        Ok(())
    }

    fn side(&self, key: &'static str, value: &Value) -> Result<usize, Error> {
        self.whole(key, value, LONGEST, " of pixels")
    }

    fn whole(
        &self,
        key: &'static str,
        value: &Value,
        most: u64,
        of_what: &str,
    ) -> Result<usize, Error> {
        let found = value.as_u64().filter(|found| (1..=most).contains(found));
        found.map(|found| found as usize).ok_or_else(|| {
            let right = format!("a whole number{of_what}, 1 to {most}");
            self.wrong(key, value, &right)
        })
    }

    /// A whole number from 1 on.
    pub(super) fn count(&self, key: &'static str, most: u64) -> Result<Option<usize>, Error> {
        let value = self.get(key);
        let count = value.map(|value| self.whole(key, value, most, ""));
        count.transpose()
    }

    /// The longer side that pictures are resized to, under `longest_edge`.
    pub(super) fn longest(&self, key: &'static str) -> Result<Option<usize>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let wrong = || self.wrong(key, value, "{\"longest_edge\"}");
        let map = value.as_object().ok_or_else(wrong)?;
        let edge = map.get("longest_edge").filter(|_| map.len() == 1);
        Ok(Some(self.side(key, edge.ok_or_else(wrong)?)?))
    }

    /// The least and the most pixels of a resized picture, by the names that they have had.
    pub(super) fn area(&self) -> Result<[Option<usize>; 2], Error> {
        const KEY: &str = "size";
        let size = match self.get(KEY) {
            None => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => {
                let right = "{\"shortest_edge\", \"longest_edge\"}, in pixels of the whole picture";
                return Err(self.wrong(KEY, other, right));
            }
        };
        let [mut least, mut most] = [None; 2];
        for (place, alone, inside) in [
            (&mut least, "min_pixels", "shortest_edge"),
            (&mut most, "max_pixels", "longest_edge"),
        ] {
            let nested = size.and_then(|map| map.get(inside).or_else(|| map.get(alone)));
            *place = match (self.get(alone), nested) {
                (Some(value), _) => {
                    Some(self.whole(alone, value, LONGEST * LONGEST, " of pixels")?)
                }
                (None, Some(value)) => {
                    Some(self.whole(KEY, value, LONGEST * LONGEST, " of pixels")?)
                }
                (None, None) if size.is_some() => {
                    let problem = format!("lacks {inside}; write it into the file");
                    return Err(self.error(KEY, problem));
                }
                (None, None) => None,
            };
        }
        Ok([least, most])
    }

    /// Height and width, from a number, a pair or names.
    fn exact(&self, key: &'static str, value: &Value) -> Result<Option<[usize; 2]>, Error> {
        Ok(match value {
            Value::Array(sides) => match sides.as_slice() {
                [height, width] => Some([self.side(key, height)?, self.side(key, width)?]),
                _ => None,
            },
            Value::Object(map) => match (map.len(), map.get("height"), map.get("width")) {
                (2, Some(height), Some(width)) => {
                    Some([self.side(key, height)?, self.side(key, width)?])
                }
                _ => None,
            },
            _ => None,
        })
    }

    /// `size`. What one number means depends on the class: `square` says it.
    pub(super) fn size(&self, square: Option<bool>) -> Result<Option<Size>, Error> {
        const KEY: &str = "size";
        let Some(value) = self.get(KEY) else {
            return Ok(None);
        };
        if let Some(sides) = self.exact(KEY, value)? {
            return Ok(Some(Size::Exact(sides)));
        }
        if value.is_number() {
            let edge = self.side(KEY, value)?;
            let square = square.ok_or_else(|| {
                self.error(KEY, "is one number, and the file names no class that says of what; use {\"height\", \"width\"} or {\"shortest_edge\"}")
            })?;
            return Ok(Some(match square {
                true => Size::Exact([edge; 2]),
                false => Size::Shortest {
                    edge,
                    longest: None,
                },
            }));
        }
        let right = "a number, {\"height\", \"width\"}, {\"shortest_edge\"} or {\"shortest_edge\", \"longest_edge\"}";
        let wrong = || self.wrong(KEY, value, right);
        let map = value.as_object().ok_or_else(wrong)?;
        let edge = self.side(KEY, map.get("shortest_edge").ok_or_else(wrong)?)?;
        let longest = match (map.len(), map.get("longest_edge")) {
            (1, None) => None,
            (2, Some(longest)) => Some(self.side(KEY, longest)?),
            _ => return Err(wrong()),
        };
        Ok(Some(Size::Shortest { edge, longest }))
    }

    /// `crop_size`, of which one number is a square's whatever the class.
    pub(super) fn crop_size(&self) -> Result<Option<[usize; 2]>, Error> {
        const KEY: &str = "crop_size";
        let Some(value) = self.get(KEY) else {
            return Ok(None);
        };
        if value.is_number() {
            return Ok(Some([self.side(KEY, value)?; 2]));
        }
        let sides = self.exact(KEY, value)?;
        let right = "a number or {\"height\", \"width\"}";
        sides.map(Some).ok_or_else(|| self.wrong(KEY, value, right))
    }

    /// `resample`, by Pillow's numbers or names.
    pub(super) fn resample(&self) -> Result<Option<Filter>, Error> {
        const KEY: &str = "resample";
        let Some(value) = self.get(KEY) else {
            return Ok(None);
        };
        let lower = value.as_str().map(str::to_ascii_lowercase);
        // "PIL.Image.BICUBIC" and "Resampling.BICUBIC" have been written too.
        let word = lower.as_deref().and_then(|name| name.rsplit('.').next());
        let filter = match (value.as_u64(), word) {
            (Some(0), _) | (_, Some("nearest")) => Filter::Nearest,
            (Some(1), _) | (_, Some("lanczos" | "antialias")) => Filter::Lanczos,
            (Some(2), _) | (_, Some("bilinear" | "linear")) => Filter::Bilinear,
            (Some(3), _) | (_, Some("bicubic" | "cubic")) => Filter::Bicubic,
            (Some(4), _) | (_, Some("box")) => Filter::Box,
            (Some(5), _) | (_, Some("hamming")) => Filter::Hamming,
            _ => {
                let right =
                    "0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)";
                return Err(self.wrong(KEY, value, right));
            }
        };
        Ok(Some(filter))
    }

    /// A number above zero.
    pub(super) fn factor(&self, key: &'static str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let factor = value.as_f64().filter(|v| v.is_finite() && *v > 0.0);
        let factor = factor.ok_or_else(|| self.wrong(key, value, "a number above 0"))?;
        Ok(Some(factor))
    }

    /// A number for each of three channels, or one for all.
    pub(super) fn channels(&self, key: &'static str) -> Result<Option<[f32; 3]>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number = |v: &Value| v.as_f64().map(|v| v as f32).filter(|v| v.is_finite());
        let channels = match value {
            Value::Array(values) => match values.as_slice() {
                [r, g, b] => [number(r), number(g), number(b)],
                _ => [None; 3],
            },
            one => [number(one); 3],
        };
        match channels {
            [Some(r), Some(g), Some(b)] => Ok(Some([r, g, b])),
            _ => Err(self.wrong(key, value, "three numbers, for red, green and blue")),
        }
    }
}
