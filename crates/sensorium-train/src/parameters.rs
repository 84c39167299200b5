//! The parameters of a module by path: the key under which everything about them is kept.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};
use sha2::{Digest, Sha256};

use crate::checkpoint::hexadecimal;

/// A parameter, as a table of a model shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Where it is: field names joined by dots.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether training changes it.
    pub trainable: bool,
}

/// Every parameter of a module, in the order of its fields.
///
/// ```
/// # use burn::tensor::Device;
/// use burn::nn::LinearConfig;
/// let table = sensorium_train::parameter_table(&LinearConfig::new(3, 2).init(&Device::flex()));
/// assert_eq!((table[0].path.as_str(), table[0].shape.as_slice()), ("weight", &[3, 2][..]));
/// assert!(table[1].path == "bias" && table[1].trainable);
/// ```
pub fn parameter_table<M: Module>(module: &M) -> Vec<Parameter> {
    struct Table {
        path: Path,
        rows: Vec<Parameter>,
    }
    impl Table {
        fn push(&mut self, shape: &[usize], trainable: bool) {
            self.rows.push(Parameter {
                path: self.path.dotted(),
                shape: shape.to_vec(),
                trainable,
            });
        }
    }
    impl ModuleVisitor for Table {
        fn enter_module(&mut self, name: &str, holder: &str) {
            self.path.enter(name, holder);
        }
        fn exit_module(&mut self, _name: &str, _holder: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.push(&param.base().dims(), param.is_require_grad());
        }
        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
            self.push(&param.base().dims(), false);
        }
        fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
            self.push(&param.base().dims(), false);
        }
    }
    let mut table = Table {
        path: Path::default(),
        rows: Vec::new(),
    };
    // Only in training mode do parameters tell whether they are trainable.
    module.clone().train().visit(&mut table);
    table.rows
}

/// How many numbers a module holds: all, and those that training changes.
pub fn count_parameters<M: Module>(module: &M) -> ParameterCount {
    let size = |row: &Parameter| row.shape.iter().product::<usize>();
    let table = parameter_table(module);
    ParameterCount {
        all: table.iter().map(size).sum(),
        trainable: table.iter().filter(|row| row.trainable).map(size).sum(),
    }
}

/// How many numbers a module holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterCount {
    /// All of them.
    pub all: usize,
    /// Those that training changes.
    pub trainable: usize,
}

/// Where a visitor or mapper is in a module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    names: Vec<String>,
    holders: Vec<String>,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, holder: &str) {
        self.names.push(name.to_owned());
        self.holders.push(holder.to_owned());
    }

    pub(crate) fn exit(&mut self) {
        self.names.pop();
        self.holders.pop();
    }

    /// Field names joined by dots.
    pub(crate) fn dotted(&self) -> String {
        self.names.join(".")
    }

    /// Field names, the outermost first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The parameter's own name, and the type it is a field of.
    pub(crate) fn name_and_holder(&self) -> (&str, &str) {
        let name = self.names.last().map_or("", String::as_str);
        let holder = self.holders.last().map_or("", String::as_str);
        (
            name,
            holder.split_once(':').map_or(holder, |(_, holder)| holder),
        )
    }
}

/// A hash of every parameter that training changes: the same for the same numbers alone.
pub(crate) fn trained_hash<M: Module>(module: &M) -> String {
    struct Hash(Sha256);
    impl ModuleVisitor for Hash {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0.update(param.base().into_data().as_bytes());
            }
        }
    }
    let mut hash = Hash(Sha256::new());
    module.visit(&mut hash);
    hexadecimal(&hash.0.finalize())
}

/// Forces every parameter that is still to be drawn, so that it does not depend on who looks first.
pub(crate) fn draw_all<M: Module>(module: &M) {
    struct Draw;
    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let _ = param.base();
        }
    }
    module.visit(&mut Draw);
}

/// A parameter of floats, as it stands in a module.
pub(crate) struct Seen {
    pub(crate) path: String,
    /// The type that holds it.
    pub(crate) holder: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) trains: bool,
}

impl Seen {
    /// All of a module, in their order.
    pub(crate) fn of<M: Module>(module: &M) -> Vec<Self> {
        let mut look = Look::default();
        module.visit(&mut look);
        look.seen
    }
}

#[derive(Default)]
struct Look {
    path: Path,
    seen: Vec<Seen>,
}

impl ModuleVisitor for Look {
    fn enter_module(&mut self, name: &str, holder: &str) {
        self.path.enter(name, holder);
    }

    fn exit_module(&mut self, _name: &str, _holder: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.seen.push(Seen {
            path: self.path.dotted(),
            holder: self.path.name_and_holder().1.to_owned(),
            shape: param.base().dims().to_vec(),
            trains: param.is_require_grad(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ParamGroup;
    use burn::nn::{Linear, LinearConfig};
    use sensorium_testkit::devices;

    #[derive(Module, Debug)]
    struct Net {
        first: Linear,
        rest: Vec<Linear>,
        steps: Param<Tensor<1, Int>>,
    }

    #[test]
    fn the_table_has_every_parameter_and_knows_which_are_frozen() {
        for device in devices() {
            let linear = |bias| LinearConfig::new(2, 3).with_bias(bias).init(&device);
            let net = Net {
                first: linear(true),
                rest: vec![linear(false), linear(false)],
                steps: Param::initialized(
                    burn::module::ParamId::new(),
                    Tensor::zeros([4], &device),
                ),
            };
            let first = ParamGroup::from_predicate("first");
            let net = net.freeze_group(first);
            let table = parameter_table(&net);
            let rows: Vec<_> = table
                .iter()
                .map(|row| (row.path.as_str(), row.trainable))
                .collect();
            assert_eq!(
                rows,
                [
                    ("first.weight", false),
                    ("first.bias", false),
                    ("rest.0.weight", true),
                    ("rest.1.weight", true),
                    ("steps", false)
                ]
            );
            assert_eq!(
                count_parameters(&net),
                ParameterCount {
                    all: 25,
                    trainable: 12
                }
            );
            assert_eq!(
                count_parameters(&net.valid()),
                ParameterCount {
                    all: 25,
                    trainable: 12
                }
            );
        }
    }
}
