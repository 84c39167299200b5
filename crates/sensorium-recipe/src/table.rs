//! A recipe's table `[encoders.NAME]`: an encoder of the modality's own, or a published one.

use std::fmt;
use std::marker::PhantomData;

use sensorium_models::tower::{LoraConfig, Output, TowerConfig, Tune};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// The keys that speak of a published encoder.
const TOWER_KEYS: [&str; 4] = ["from", "output", "tune", "lora"];

/// The keys of a modality's own table that count for a published encoder too.
const SHARED: [&str; 2] = ["augment", "strong"];

/// What `from` names where the decoder reads a text itself.
pub(crate) const DECODER: &str = "decoder";

/// `[encoders.NAME]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncoderTable<C> {
    /// The published encoder that is named with `from`.
    pub tower: Option<TowerConfig>,
    /// The modality's own keys; with a published encoder only `augment` and `strong` count.
    pub own: C,
}

impl<C> EncoderTable<C> {
    /// Whether there is no encoder, for the decoder reads the text itself.
    pub fn is_decoders(&self) -> bool {
        self.tower
            .as_ref()
            .is_some_and(|tower| tower.from == DECODER)
    }
}

impl<C: Serialize> Serialize for EncoderTable<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let Some(tower) = &self.tower else {
            return self.own.serialize(serializer);
        };
        let own = serde_json::to_value(&self.own).map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("from", &tower.from)?;
        if !self.is_decoders() {
            map.serialize_entry("output", &tower.output)?;
            map.serialize_entry("tune", &tower.tune)?;
            // Tables stand after values in TOML.
            map.serialize_entry("lora", &tower.lora)?;
        }
        for key in SHARED {
            if let Some(shared) = own.get(key) {
                map.serialize_entry(key, shared)?;
            }
        }
        map.end()
    }
}

/// Keys are handed on one by one, not collected first, so that a mistake keeps its line.
impl<'de, C: Deserialize<'de>> Deserialize<'de> for EncoderTable<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<C>(PhantomData<C>);
        impl<'de, C: Deserialize<'de>> Visitor<'de> for Table<C> {
            type Value = EncoderTable<C>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let mut keys = TowerKeys::default();
                let own = C::deserialize(MapAccessDeserializer::new(Rest {
                    map,
                    keys: &mut keys,
                }))?;
                Ok(EncoderTable {
                    tower: keys.tower()?,
                    own,
                })
            }
        }
        deserializer.deserialize_map(Table(PhantomData))
    }
}

/// What is found of a published encoder.
#[derive(Default)]
struct TowerKeys {
    from: Option<String>,
    output: Option<Output>,
    tune: Option<Tune>,
    lora: Option<LoraConfig>,
    /// The first of these that is there, and the first of the modality's own.
    first: Option<&'static str>,
    own: Option<String>,
}

impl TowerKeys {
    fn tower<E: Error>(self) -> Result<Option<TowerConfig>, E> {
        let Some(from) = self.from else {
            return match self.first {
                Some(key) => Err(E::custom(format!(
                    "`{key}` speaks of a published encoder: name it with `from`"
                ))),
                None => Ok(None),
            };
        };
        if let Some(key) = self.own {
            return Err(E::custom(format!(
                "`{key}` has no say in an encoder that is taken `from` a checkpoint: remove one of them"
            )));
        }
        let of_tower = [
            ("output", self.output.is_some()),
            ("tune", self.tune.is_some()),
            ("lora", self.lora.is_some()),
        ];
        if let Some((key, _)) = of_tower.iter().find(|(_, named)| *named)
            && from == DECODER
        {
            return Err(E::custom(format!(
                "`{key}` speaks of a published encoder, and there is none where the decoder reads: remove it"
            )));
        }
        Ok(Some(TowerConfig {
            from,
            output: self.output.unwrap_or_default(),
            tune: self.tune.unwrap_or_default(),
            lora: self.lora.unwrap_or_default(),
        }))
    }
}

/// The keys of a table without those that speak of a published encoder, which are kept.
struct Rest<'a, A> {
    map: A,
    keys: &'a mut TowerKeys,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        loop {
            let key = Key {
                seed: &mut seed,
                own: &mut self.keys.own,
            };
            match self.map.next_key_seed(key)? {
                None => return Ok(None),
                Some(Found::Own(value)) => return Ok(Some(value)),
                Some(Found::Tower(key)) => {
                    self.keys.first.get_or_insert(key);
                    match key {
                        "from" => self.keys.from = Some(self.map.next_value()?),
                        "output" => self.keys.output = Some(self.map.next_value()?),
                        "tune" => self.keys.tune = Some(self.map.next_value()?),
                        _ => self.keys.lora = Some(self.map.next_value()?),
                    }
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

enum Found<V> {
    Tower(&'static str),
    Own(V),
}

struct Key<'a, K> {
    seed: &'a mut Option<K>,
    own: &'a mut Option<String>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, K> {
    type Value = Found<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        if let Some(tower) = TOWER_KEYS.iter().find(|known| **known == key) {
            return Ok(Found::Tower(tower));
        }
        let seed = self.seed.take().expect("a key is asked for once");
        let value = seed.deserialize(StrDeserializer::<D::Error>::new(&key));
        if value.is_err() && crate::parse::nearest(&key, &TOWER_KEYS).is_some() {
            return Err(D::Error::unknown_field(&key, &TOWER_KEYS));
        }
        if !SHARED.contains(&key.as_str()) {
            self.own.get_or_insert(key);
        }
        value.map(Found::Own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensorium_vision::ImageConfig;

    type Images = EncoderTable<ImageConfig>;

    fn read(text: &str) -> Result<Images, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_table_is_the_modalitys_own_or_names_a_checkpoint() {
        let own = read("d_model = 48\nn_heads = 6").unwrap();
        assert_eq!((own.tower, own.own.d_model), (None, 48));

        let text = "tune = \"lora\"\nfrom = \"a/b\"\nlora = { rank = 4 }\naugment = { shift = 0.1 }\n\
             strong = { crop = 0.5, rand_augment = { n = 2, m = 10 } }";
        let table = read(text).unwrap();
        assert_eq!(table.own.strong.unwrap().crop, Some(0.5));
        let tower = table.tower.clone().unwrap();
        assert_eq!((tower.from.as_str(), tower.tune), ("a/b", Tune::Lora));
        assert_eq!((tower.lora.rank, tower.lora.alpha), (4, 16.0));
        assert_eq!(table.own.augment.shift, 0.1);

        for table in [table, read("d_model = 48").unwrap()] {
            let written = toml::to_string_pretty(&table).unwrap();
            assert_eq!(read(&written).unwrap(), table, "{written}");
            let json = serde_json::to_string(&table).unwrap();
            assert_eq!(serde_json::from_str::<Images>(&json).unwrap(), table);
        }
    }

    #[test]
    fn mistakes_keep_their_line_and_are_explained() {
        let check = |text: &str, line: usize, expected: &str| {
            let error = read(text).unwrap_err();
            let at = error.span().expect("a place").start;
            let found = text[..at].matches('\n').count() + 1;
            assert_eq!((found, error.message()), (line, expected), "{text}");
        };
        let known = "expected one of `from`, `output`, `tune`, `lora`";
        check(
            "d_model = 8\nform = \"a/b\"",
            2,
            &format!("unknown field `form`, {known}"),
        );
        check(
            "from = \"a/b\"\ntune = \"all\"",
            2,
            "unknown variant `all`, expected one of `frozen`, `lora`, `whole`",
        );
        check(
            "from = \"a/b\"\nn_heads = 2",
            1,
            "`n_heads` has no say in an encoder that is taken `from` a checkpoint: remove one of them",
        );
        check(
            "d_model = 8\ntune = \"whole\"",
            1,
            "`tune` speaks of a published encoder: name it with `from`",
        );
        let error = read("n_head = 2").unwrap_err().to_string();
        assert!(error.contains("`n_heads`"), "{error}");
    }
}
