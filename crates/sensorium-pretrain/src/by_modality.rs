//! A module for each modality, under its name.

use std::collections::BTreeMap;

use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::Device;
use sensorium_core::Modality;

/// One module for each modality. The paths of their parameters hold the modality's name, so that a checkpoint does not
/// depend on which others there are.
#[derive(Clone, Debug)]
pub struct ByModality<M>(BTreeMap<Modality, M>);

impl<M> ByModality<M> {
    /// The modality's module, if there is one.
    pub fn get(&self, modality: Modality) -> Option<&M> {
        self.0.get(&modality)
    }

    /// In order of the modalities' names.
    pub fn iter(&self) -> impl Iterator<Item = (Modality, &M)> {
        self.0.iter().map(|(modality, module)| (*modality, module))
    }

    /// In order of their names.
    pub fn modalities(&self) -> impl Iterator<Item = Modality> {
        self.0.keys().copied()
    }

    fn each(self, mut f: impl FnMut(Modality, M) -> M) -> Self {
        let each = self.0.into_iter();
        each.map(|(modality, module)| (modality, f(modality, module)))
            .collect()
    }
}

impl<M> FromIterator<(Modality, M)> for ByModality<M> {
    fn from_iter<I: IntoIterator<Item = (Modality, M)>>(modules: I) -> Self {
        Self(modules.into_iter().collect())
    }
}

impl<M: Module> Module for ByModality<M> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (modality, module) in self.iter() {
            visitor.enter_module(modality.name(), "ByModality");
            module.visit(visitor);
            visitor.exit_module(modality.name(), "ByModality");
        }
    }

    fn map<V: ModuleMapper>(self, mapper: &mut V) -> Self {
        self.each(|modality, module| {
            mapper.enter_module(modality.name(), "ByModality");
            let module = module.map(mapper);
            mapper.exit_module(modality.name(), "ByModality");
            module
        })
    }

    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.0
            .values()
            .fold(devices, |devices, module| module.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|_, module| module.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|_, module| module.to_device(device))
    }

    fn train(self) -> Self {
        self.each(|_, module| module.train())
    }

    fn valid(&self) -> Self {
        let each = self.iter();
        each.map(|(modality, module)| (modality, module.valid()))
            .collect()
    }

    fn materialize(self) -> Self {
        self.each(|_, module| module.materialize())
    }
}

impl<M: ModuleDisplay> ModuleDisplayDefault for ByModality<M> {
    fn content(&self, content: Content) -> Option<Content> {
        self.iter()
            .fold(content, |content, (modality, module)| {
                content.add(modality.name(), module)
            })
            .optional()
    }
}

impl<M: ModuleDisplay> ModuleDisplay for ByModality<M> {}
