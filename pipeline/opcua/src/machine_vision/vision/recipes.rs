//! Methods of `RecipeManagement`. A recipe goes by its name or its number; one is prepared at a time: the one that judges.

use super::{Caller, Preparing, Vision, states::takes};
use crate::machine_vision::{
    arguments::{Arguments, NotDone},
    commands::{Recipe, Refusal},
    fields::{structure, structures},
    machine::Call,
    result::internal_id,
    types::{ProductIdDataType, RecipeIdExternalDataType, RecipeIdInternalDataType, TriState},
};
use opcua::types::{ByteString, UAString, Variant};
use std::sync::Arc;

/// Recipes that one call gives at most.
const A_CALL: usize = 100;

/// What a client says of the recipe it means.
struct Meant {
    id: String,
    version: Option<UAString>,
    hash: Option<ByteString>,
    external: Option<RecipeIdExternalDataType>,
}

impl Vision {
    pub(super) async fn get_recipe_list_filtered(
        self: &Arc<Self>,
        arguments: &mut Arguments<'_>,
    ) -> Result<Vec<Variant>, NotDone> {
        let external = arguments.name::<RecipeIdExternalDataType>()?;
        let product = arguments.name::<ProductIdDataType>()?;
        let prepared = TriState::try_from(arguments.int32()?)
            .map_err(|number| Refusal::BadArgument(format!("IsPrepared is 0, 1 or 2, not {number}")))?;
        let (max, start) = (arguments.uint32()? as usize, arguments.uint32()? as usize);
        let _timeout = arguments.int32()?; // nothing is kept for a client
        let recipes = self.recipes().await?;
        let mut inside = self.inside();
        let usable = inside.machine.takes(Call::StartSingleJob) || inside.job.is_some();
        let is_wanted = |recipe: &Recipe| {
            let is_prepared = usable && inside.recipe.as_ref().is_some_and(|now| now.name == recipe.name);
            let fits = match prepared {
                TriState::True => is_prepared,
                TriState::False => !is_prepared,
                TriState::DontCare => true,
            };
            fits && product.is_empty() && (external.is_empty() || recipe.is_called(external.as_ref()))
        };
        let wanted: Vec<_> = recipes.iter().filter(|recipe| is_wanted(recipe)).collect();
        let max = if max == 0 { A_CALL } else { max.min(A_CALL) };
        let listed: Vec<_> = wanted.iter().skip(start).take(max).map(|recipe| internal_id(recipe)).collect();
        let is_complete = start.saturating_add(listed.len()) >= wanted.len();
        let (count, handle) = (listed.len() as u32, inside.handles.open());
        Ok(vec![is_complete.into(), count.into(), handle.into(), structures(listed)])
    }

    /// Loads it beside the one that judges; true if it judges already.
    pub(super) async fn prepare_recipe(
        self: &Arc<Self>,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<Vec<Variant>, NotDone> {
        let meant = meant(arguments)?;
        takes(&self.inside(), Call::PrepareRecipe)?;
        let known = self.recipes().await?;
        let recipe = known.into_iter().find(|recipe| recipe.is_called(&meant.id));
        let recipe =
            recipe.ok_or_else(|| Refusal::UnknownRecipe(format!("there is no recipe {}", meant.id)))?;
        meant.must_be(&recipe)?;
        {
            let mut inside = self.inside();
            takes(&inside, Call::PrepareRecipe)?;
            if inside.recipe.as_ref() == Some(&recipe) {
                inside.preparing = Some(Preparing { recipe: recipe.clone(), external: meant.external });
                self.prepared(&mut inside);
                return Ok(vec![structure(internal_id(&recipe)), true.into()]);
            }
        }
        let (station, name) = (self.station.clone(), recipe.name.clone());
        let read = tokio::task::spawn_blocking(move || station.prepare(&name)).await;
        let recipe = read.map_err(|_| opcua::types::StatusCode::BadInternalError)??;
        tracing::info!(user = caller.name, recipe = recipe.name, "An OPC UA client wants a recipe.");
        let internal = internal_id(&recipe);
        self.inside().preparing = Some(Preparing { recipe, external: meant.external });
        Ok(vec![structure(internal), false.into()])
    }

    /// No job can use it any more. The line's parts are judged by it as before.
    pub(super) fn unprepare_recipe(&self, arguments: &mut Arguments<'_>) -> Result<Vec<Variant>, NotDone> {
        let meant = meant(arguments)?;
        let mut inside = self.inside();
        takes(&inside, Call::UnprepareRecipe)?;
        let now = inside.recipe.clone().filter(|now| now.is_called(&meant.id));
        let now = now.ok_or_else(|| Refusal::NotPrepared(format!("recipe {} is not prepared", meant.id)))?;
        meant.must_be(&now)?;
        self.go(&mut inside, Call::UnprepareRecipe);
        Ok(vec![structure(internal_id(&now))])
    }

    async fn recipes(self: &Arc<Self>) -> Result<Vec<Recipe>, NotDone> {
        let station = self.station.clone();
        let read = tokio::task::spawn_blocking(move || station.recipes()).await;
        read.map_err(|_| opcua::types::StatusCode::BadInternalError.into())
    }
}

/// The internal name counts where there is one, as the text of OPC 40100-1 has it.
fn meant(arguments: &mut Arguments<'_>) -> Result<Meant, NotDone> {
    let external = arguments.named::<RecipeIdExternalDataType>()?;
    let internal = arguments.named::<RecipeIdInternalDataType>()?;
    match (internal, external) {
        (Some(internal), external) => Ok(Meant {
            id: internal.id.to_string(),
            version: internal.version,
            hash: internal.hash,
            external,
        }),
        (None, Some(external)) => Ok(Meant {
            id: external.id.to_string(),
            version: external.version.clone(),
            hash: external.hash.clone(),
            external: Some(external),
        }),
        (None, None) => {
            Err(Refusal::BadArgument("neither ExternalId nor InternalIdIn names a recipe".to_owned()).into())
        }
    }
}

impl Meant {
    /// Who asks for certain contents gets those or a refusal.
    fn must_be(&self, recipe: &Recipe) -> Result<(), Refusal> {
        let is = internal_id(recipe);
        let differs = |what: &str| {
            Err(Refusal::OtherRecipe(format!("recipe {} has another {what} than was asked for", recipe.name)))
        };
        match (&self.version, &self.hash) {
            (Some(version), _) if !version.is_empty() && Some(version) != is.version.as_ref() => {
                differs("version")
            }
            (_, Some(hash)) if !hash.is_null_or_empty() && Some(hash) != is.hash.as_ref() => differs("hash"),
            _ => Ok(()),
        }
    }
}
