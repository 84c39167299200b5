//! Which parameters are trained in another way than the rest: `[[train.groups]]`, held against a module.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::config::Group;
use crate::parameters::Seen;
use crate::{Error, TrainConfig};

/// How a parameter is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Setting {
    /// The group it belongs to.
    pub(crate) group: Option<usize>,
    /// What the learning rate is multiplied with.
    pub(crate) lr_scale: f64,
    /// Its decay, if it is not the run's.
    pub(crate) weight_decay: Option<f64>,
    /// Whether it can train at all.
    trainable: bool,
    /// The step that it trains from.
    from: usize,
}

impl Setting {
    /// How many steps come before it trains; nothing, if it never does.
    pub(crate) fn trains_from(self) -> Option<usize> {
        (self.trainable && self.from != NEVER).then_some(self.from)
    }
}

/// Never.
const NEVER: usize = usize::MAX;

impl Default for Setting {
    fn default() -> Self {
        Self {
            group: None,
            lr_scale: 1.0,
            weight_decay: None,
            trainable: true,
            from: 0,
        }
    }
}

/// How the parameters of a module are trained, by their place in its order.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    settings: Vec<Setting>,
}

impl Groups {
    /// Holds the groups of a run of so many steps against what it trains.
    ///
    /// # Errors
    /// [`Error::NoSuchParameters`] for a pattern that matches none, [`Error::Config`] for what begins to learn when all is
    /// over, and [`Error::NothingToTrain`].
    pub(crate) fn new<M: Module>(
        config: &TrainConfig,
        module: &M,
        total_steps: usize,
    ) -> Result<Self, Error> {
        let parameters = Seen::of(module);
        let paths: Vec<&str> = parameters.iter().map(|seen| shown(&seen.path)).collect();
        for pattern in config.groups.iter().flat_map(|group| &group.parameters) {
            if !paths.iter().any(|path| matches(pattern, path)) {
                return Err(Error::NoSuchParameters {
                    pattern: pattern.clone(),
                    nearest: nearest(pattern, &paths),
                });
            }
        }
        let mut settings = vec![Setting::default(); paths.len()];
        for (index, group) in config.groups.iter().enumerate() {
            let names = |path: &str| group.parameters.iter().any(|p| matches(p, path));
            let places: Vec<usize> = (0..paths.len()).filter(|at| names(paths[*at])).collect();
            let depths = depths(&paths, &places);
            for (place, depth) in places.into_iter().zip(depths) {
                settings[place] = setting(index, group, depth, total_steps)?;
            }
        }
        for (setting, seen) in settings.iter_mut().zip(&parameters) {
            setting.trainable = seen.trains;
        }
        match settings.iter().any(|s| s.trainable && s.from == 0) {
            true => Ok(Self { settings }),
            false => Err(Error::NothingToTrain),
        }
    }

    /// How the parameter at this place is trained.
    pub(crate) fn of(&self, place: usize) -> Setting {
        self.settings.get(place).copied().unwrap_or_default()
    }

    /// The module as it is to train in a step, counted from 0, whatever it was before.
    pub(crate) fn at_step<M: Module>(&self, module: M, step: usize) -> M {
        match self.settings.iter().any(|setting| setting.from > 0) {
            true => module.map(&mut Thaw {
                place: 0,
                step,
                groups: self,
            }),
            false => module,
        }
    }

    /// The module, which took all steps before this one, with what begins to train at it.
    pub(crate) fn before_step<M: Module>(&self, module: M, step: usize) -> M {
        match step > 0 && self.settings.iter().any(|setting| setting.from == step) {
            true => self.at_step(module, step),
            false => module,
        }
    }
}

fn setting(
    index: usize,
    group: &Group,
    depth: usize,
    total_steps: usize,
) -> Result<Setting, Error> {
    let from = match (group.frozen, group.unfreeze_at) {
        (true, _) => NEVER,
        (false, None) => 0,
        (false, Some(at)) => at.step(total_steps),
    };
    if from != NEVER && from > 0 && from >= total_steps {
        return Err(Error::Config {
            key: "train.groups.unfreeze_at",
            value: format!("{from} of {total_steps} steps for {:?}", group.parameters),
            way_out: "it must come before the run's last step; frozen = true keeps parameters as they are",
        });
    }
    let below = group.layer_decay.unwrap_or(1.0).powi(depth as i32);
    Ok(Setting {
        group: Some(index),
        lr_scale: group.lr_scale.unwrap_or(1.0) * below,
        weight_decay: group.weight_decay,
        trainable: true,
        from,
    })
}

/// How many layers lie above each of these parameters: a stack is what stands below one name with a number after it.
/// What comes after the stack counts as above all of it, what comes before as below.
fn depths(paths: &[&str], places: &[usize]) -> Vec<usize> {
    let layer = |path: &str| {
        let mut names = path.split('.');
        names.find_map(|name| name.parse::<usize>().ok())
    };
    let encoder = |path: &str| path.split('.').take(2).collect::<Vec<_>>().join(".");
    let depth = |place: &usize| {
        let own = encoder(paths[*place]);
        let beside = places.iter().filter(|other| encoder(paths[**other]) == own);
        let layers: Vec<(usize, usize)> = beside
            .filter_map(|other| Some((*other, layer(paths[*other])?)))
            .collect();
        let top = layers.iter().map(|(_, layer)| *layer).max()?;
        let first = layers.first()?.0;
        Some(match layer(paths[*place]) {
            Some(layer) => top + 1 - layer,
            None if *place < first => top + 2,
            None => 0,
        })
    };
    places
        .iter()
        .map(|place| depth(place).unwrap_or(0))
        .collect()
}

/// A path as patterns know it.
pub(crate) fn shown(path: &str) -> &str {
    path.strip_prefix("model.").unwrap_or(path)
}

/// Whether a path is what a pattern says; `*` stands for anything.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The pattern most like one that matches nothing: a path, or all below one.
pub(crate) fn nearest(pattern: &str, paths: &[&str]) -> String {
    let ends = |path: &&str| -> Vec<String> {
        let dots = path.match_indices('.').map(|(at, _)| at);
        let mut ends: Vec<String> = dots.map(|at| format!("{}.*", &path[..at])).collect();
        ends.push((*path).to_owned());
        ends
    };
    let all = paths.iter().flat_map(ends);
    all.map(|known| (strsim::damerau_levenshtein(pattern, &known), known))
        .min()
        .map(|(_, known)| known)
        .unwrap_or_default()
}

struct Thaw<'a> {
    place: usize,
    step: usize,
    groups: &'a Groups,
}

impl ModuleMapper for Thaw<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let setting = self.groups.of(self.place);
        self.place += 1;
        // What could never train, such as a frozen encoder, is nobody's to wake.
        match setting.trainable && setting.from > 0 {
            true => param.set_require_grad(self.step >= setting.from),
            false => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, path, is) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b.c", true),
            ("a.*", "ab.c", false),
            ("*.weight", "a.b.weight", true),
            ("*.weight", "weight", false),
            ("*", "", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            // What is before and after a star must not overlap.
            ("ab*b", "ab", false),
            ("*bias*", "a.bias", true),
        ] {
            assert_eq!(matches(pattern, path), is, "{pattern} {path}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_told_the_nearest() {
        let paths = [
            "encoders.image.norm.weight",
            "encoders.audio.norm.weight",
            "head.bias",
        ];
        assert_eq!(nearest("encoders.imge.*", &paths), "encoders.image.*");
        assert_eq!(nearest("head.bais", &paths), "head.bias");
        assert_eq!(nearest("", &[]), "");
    }

    #[test]
    fn layers_are_counted_from_the_top_of_their_own_encoder() {
        let paths = [
            "encoders.image.patches",
            "encoders.image.blocks.0.weight",
            "encoders.image.blocks.1.weight",
            "encoders.image.blocks.1.bias",
            "encoders.image.norm",
            "encoders.text.words",
            "encoders.text.blocks.0.weight",
            "head.weight",
        ];
        let places: Vec<usize> = (0..paths.len()).collect();
        assert_eq!(depths(&paths, &places), [3, 2, 1, 1, 0, 2, 1, 0]);
    }
}
