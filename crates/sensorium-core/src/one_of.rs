//! An enum of modules that is, to everything that looks into modules, the one it holds.

/// Implements Burn's `Module` for an enum whose variants hold one module each. Unlike with the derived implementation no
/// variant's name stands in the paths of parameters, so that a checkpoint does not depend on what else could have been chosen.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig, conv::Conv1d};
///
/// #[derive(Clone, Debug)]
/// enum Layer {
///     Linear(Linear),
///     Conv(Conv1d),
/// }
/// sensorium_core::one_of!(Layer { Linear, Conv });
///
/// let layer = Layer::Linear(LinearConfig::new(3, 2).init(&burn::tensor::Device::flex()));
/// assert_eq!(layer.num_params(), 8);
/// ```
#[macro_export]
macro_rules! one_of {
    ($name:ident $(<$($of:ident: $bound:path),+>)? { $($variant:ident),+ $(,)? }) => {
        impl $(<$($of: $bound),+>)? ::burn::module::Module for $name $(<$($of),+>)? {
            fn visit<V: ::burn::module::ModuleVisitor>(&self, visitor: &mut V) {
                match self { $(Self::$variant(module) => module.visit(visitor),)+ }
            }

            fn map<M: ::burn::module::ModuleMapper>(self, mapper: &mut M) -> Self {
                match self { $(Self::$variant(module) => Self::$variant(module.map(mapper)),)+ }
            }

            fn collect_devices(&self, devices: Vec<::burn::tensor::Device>) -> Vec<::burn::tensor::Device> {
                match self { $(Self::$variant(module) => module.collect_devices(devices),)+ }
            }

            fn fork(self, device: &::burn::tensor::Device) -> Self {
                match self { $(Self::$variant(module) => Self::$variant(module.fork(device)),)+ }
            }

            fn to_device(self, device: &::burn::tensor::Device) -> Self {
                match self { $(Self::$variant(module) => Self::$variant(module.to_device(device)),)+ }
            }

            fn train(self) -> Self {
                match self { $(Self::$variant(module) => Self::$variant(module.train()),)+ }
            }

            fn valid(&self) -> Self {
                match self { $(Self::$variant(module) => Self::$variant(module.valid()),)+ }
            }

            fn materialize(self) -> Self {
                match self { $(Self::$variant(module) => Self::$variant(module.materialize()),)+ }
            }
        }

        impl $(<$($of: $bound),+>)? ::burn::module::ModuleDisplayDefault for $name $(<$($of),+>)? {
            fn content(&self, content: ::burn::module::Content) -> Option<::burn::module::Content> {
                match self { $(Self::$variant(module) => module.content(content),)+ }
            }

            fn num_params(&self) -> usize {
                match self { $(Self::$variant(module) => ::burn::module::Module::num_params(module),)+ }
            }
        }

        impl $(<$($of: $bound),+>)? ::burn::module::ModuleDisplay for $name $(<$($of),+>)? {}
    };
}
