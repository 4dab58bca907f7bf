//! Whether a component is wired as `wit-component` wires one, so that its module can be called
//! without the engine's component layer (decision 0065).
//!
//! The engine's own translator resolves the component: which modules it instantiates with what,
//! and what each function it lowers or lifts is. Here is only looked whether that is, thing for
//! thing, what `direct.rs` does by hand. Whatever is not is no error: it is called as a component.
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here is not as usual")]

use std::collections::BTreeSet;

use wasmtime_environ::component::{
    CanonicalOptions, CanonicalOptionsDataModel, Component, ComponentTranslation, ComponentTypesBuilder,
    CoreDef, CoreExport, Export, ExportItem, GlobalInitializer, InstantiateModule, InterfaceType,
    LoweredIndex, NameMapNoIntern, OptionsIndex, RuntimeImportIndex, StringEncoding, Trampoline,
    TrampolineIndex, Translator, TypeFuncIndex, TypeResourceTable,
};
use wasmtime_environ::wasmparser::{Operator, Validator, WasmFeatures};
use wasmtime_environ::{
    ConstOp, EngineOrModuleTypeIndex, EntityIndex, EntityRef, FuncIndex, IndexType, Initializer, MemoryIndex,
    Module, ModuleTranslation, PrimaryMap, ScopeVec, StaticModuleIndex, TableIndex, TableSegmentElements,
    Tunables, TypeIndex, WasmValType,
};

/// What `handle` returns (guest-sdk/wit/op.wit).
const RETURNED: &str = "result<list<record{path:string,class:enum{data,digest,credential},\
    value:variant{text:string,json:string}}>,record{code:string,message:string}>";

/// The module of a component that is wired as usual, and what the component imports.
pub(crate) struct Usual<'a> {
    pub(crate) module: &'a [u8],
    pub(crate) imports: Vec<String>,
}

/// Looks through a component.
pub(crate) fn usual(wasm: &[u8]) -> Option<Usual<'_>> {
    // Less than what the engine takes, and all that the compilers of ops make today.
    let features = WasmFeatures::WASM2 | WasmFeatures::COMPONENT_MODEL;
    let (tunables, scope) = (Tunables::default_host(), ScopeVec::new());
    let mut validator = Validator::new_with_features(features);
    let mut types = ComponentTypesBuilder::new(&validator);
    let translator = Translator::new(&tunables, &mut validator, &mut types, &scope);
    let (translated, modules) = translator.translate(wasm).ok()?;
    let wired = Wired::of(&translated, &types, &modules)?;
    wired.main()?;
    wired.handle()?;
    let start = wasm.as_ptr().addr();
    let from = wired.main.wasm.as_ptr().addr().checked_sub(start)?;
    let module = wasm.get(from..from.checked_add(wired.main.wasm.len())?)?;
    let imports = translated.component.import_types.values().map(|(name, _)| name.clone()).collect();
    Some(Usual { module, imports })
}

/// A component's instances, in their order: the op's module, or with it the two modules that
/// pass calls on to functions which need its memory.
struct Wired<'a> {
    component: &'a Component,
    trampolines: &'a PrimaryMap<TrampolineIndex, Trampoline>,
    types: &'a ComponentTypesBuilder,
    main: &'a ModuleTranslation<'a>,
    main_at: usize,
    main_args: &'a [CoreDef],
    passing: Option<Passing>,
    lowered: Vec<RuntimeImportIndex>,
    memories: Vec<&'a CoreExport<MemoryIndex>>,
    reallocs: Vec<&'a CoreDef>,
    post_returns: Vec<&'a CoreDef>,
}

impl<'a> Wired<'a> {
    fn of(
        translated: &'a ComponentTranslation,
        types: &'a ComponentTypesBuilder,
        modules: &'a PrimaryMap<StaticModuleIndex, ModuleTranslation<'a>>,
    ) -> Option<Self> {
        let ComponentTranslation { component, trampolines } = translated;
        let (mut instances, mut lowered) = (Vec::new(), Vec::new());
        let (mut memories, mut reallocs, mut post_returns) = (Vec::new(), Vec::new(), Vec::new());
        for initializer in &component.initializers {
            match initializer {
                GlobalInitializer::InstantiateModule(InstantiateModule::Static(module, args), _) => {
                    instances.push((*module, &**args));
                }
                GlobalInitializer::LowerImport { index, import } => {
                    (index.index() == lowered.len()).then(|| lowered.push(*import))?;
                }
                GlobalInitializer::ExtractMemory(memory) => {
                    (memory.index.index() == memories.len()).then(|| memories.push(&memory.export))?;
                }
                GlobalInitializer::ExtractRealloc(realloc) => {
                    (realloc.index.index() == reallocs.len()).then(|| reallocs.push(&realloc.def))?;
                }
                GlobalInitializer::ExtractPostReturn(post) => {
                    (post.index.index() == post_returns.len()).then(|| post_returns.push(&post.def))?;
                }
                GlobalInitializer::InstantiateModule(InstantiateModule::Import(..), _)
                | GlobalInitializer::ExtractCallback(_)
                | GlobalInitializer::ExtractTable(_)
                | GlobalInitializer::Resource(_) => return None,
            }
        }
        let once: BTreeSet<_> = instances.iter().map(|(module, _)| module.index()).collect();
        holds(once.len() == instances.len() && modules.len() == instances.len())?;
        holds(component.num_runtime_component_instances == 1)?;
        let module = |at: usize| instances.get(at).and_then(|(module, _)| modules.get(*module));
        let (main_at, passing) = match instances.as_slice() {
            [_] => (0, None),
            [_, _, (_, args)] => (1, Some(Passing::of(types, [module(0)?, module(2)?], args)?)),
            _ => return None,
        };
        let (main, (_, main_args)) = (module(main_at)?, instances.get(main_at)?);
        Some(Self {
            component,
            trampolines,
            types,
            main,
            main_at,
            main_args,
            passing,
            lowered,
            memories,
            reallocs,
            post_returns,
        })
    }

    /// The op's module: what `direct.rs` needs of it is there, and every function that it imports
    /// is the one of that name.
    fn main(&self) -> Option<()> {
        let module = &self.main.module;
        // It could call the host before the component layer would let it.
        holds(self.main.start_func.is_none())?;
        holds(module.num_imported_memories == 0 && module.memories.len() == 1)?;
        let memory = module.memories.get(MemoryIndex::new(0))?;
        holds(memory.idx_type == IndexType::I32 && !memory.shared && memory.page_size_log2 == 16)?;
        holds(self.export("memory")? == EntityIndex::Memory(MemoryIndex::new(0)))?;
        let realloc = self.export("cabi_realloc")?;
        self.has_type(realloc, &[WasmValType::I32; 4], &[WasmValType::I32])?;
        holds(module.initializers.len() == self.main_args.len())?;
        for (import, given) in module.initializers.iter().zip(self.main_args) {
            let Initializer::Import { name, field, index: EntityIndex::Function(function) } = import else {
                return None;
            };
            let trampoline = match given {
                CoreDef::Trampoline(trampoline) => *trampoline,
                CoreDef::Export(export) => self.passing.as_ref()?.behind(export)?,
                CoreDef::InstanceFlags(_) | CoreDef::UnsafeIntrinsic(_) | CoreDef::TaskMayBlock => {
                    return None;
                }
            };
            let signature = EngineOrModuleTypeIndex::Module(*self.component.trampolines.get(trampoline)?);
            holds(module.functions.get(*function)?.signature == signature)?;
            self.is_named(trampoline, module.strings.get(*name)?, module.strings.get(*field)?)?;
        }
        Some(())
    }

    /// A trampoline goes to the import of this name, with the usual options.
    fn is_named(&self, trampoline: TrampolineIndex, interface: &str, name: &str) -> Option<()> {
        let (import, name) = match self.trampolines.get(trampoline)? {
            Trampoline::LowerImport { index, options, .. } => {
                holds(self.options(*options)?.post_return.is_none())?;
                (self.lowered(*index)?, name)
            }
            Trampoline::ResourceDrop { ty, .. } => {
                let TypeResourceTable::Concrete { ty, .. } = &self.types[*ty] else { return None };
                (*self.component.imported_resources.get(*ty)?, name.strip_prefix("[resource-drop]")?)
            }
            _ => return None,
        };
        let (import, path) = self.component.imports.get(import)?;
        holds(path.as_slice() == [name])?;
        holds(self.component.import_types.get(*import)?.0 == interface)
    }

    fn lowered(&self, index: LoweredIndex) -> Option<RuntimeImportIndex> {
        self.lowered.get(index.index()).copied()
    }

    /// Options that name the module's one memory and its `cabi_realloc`, where they name any.
    fn options(&self, options: OptionsIndex) -> Option<&CanonicalOptions> {
        let options = self.component.options.get(options)?;
        holds(options.string_encoding == StringEncoding::Utf8)?;
        holds(!options.async_ && !options.cancellable && options.callback.is_none())?;
        let CanonicalOptionsDataModel::LinearMemory(memory) = options.data_model else { return None };
        if let Some(memory) = memory.memory {
            let memory = self.memories.get(memory.index())?;
            holds(memory.instance.index() == self.main_at)?;
            holds(memory.item == ExportItem::Index(MemoryIndex::new(0)))?;
        }
        if let Some(realloc) = memory.realloc {
            self.is_export(self.reallocs.get(realloc.index())?, "cabi_realloc")?;
        }
        Some(options)
    }

    /// The component's one export: the module's `handle`, lifted to the contract's type, and
    /// cleaned up after by `cabi_post_handle` if and only if there is one.
    fn handle(&self) -> Option<()> {
        holds(self.component.export_items.len() == 1)?;
        let (handle, _) = self.component.exports.get("handle", &NameMapNoIntern)?;
        let Export::LiftedFunction { ty, func, options } = self.component.export_items.get(*handle)? else {
            return None;
        };
        self.is_export(func, "handle")?;
        let options = self.options(*options)?;
        match options.post_return {
            Some(post) => self.is_export(self.post_returns.get(post.index())?, "cabi_post_handle")?,
            None => holds(self.export("cabi_post_handle").is_none())?,
        }
        self.returns(*ty)
    }

    fn returns(&self, ty: TypeFuncIndex) -> Option<()> {
        let ty = &self.types[ty];
        holds(!ty.async_ && self.types[ty.params].types.is_empty())?;
        let [returned] = &*self.types[ty.results].types else { return None };
        let mut expected = Expected(RETURNED);
        expected.is(self.types, returned)?;
        holds(expected.0.is_empty())
    }

    fn export(&self, name: &str) -> Option<EntityIndex> {
        let module = &self.main.module;
        module.exports.get(&module.strings.get_atom(name)?).copied()
    }

    fn is_export(&self, def: &CoreDef, name: &str) -> Option<()> {
        let CoreDef::Export(CoreExport { instance, item: ExportItem::Index(item) }) = def else {
            return None;
        };
        holds(instance.index() == self.main_at && *item == self.export(name)?)
    }

    fn has_type(&self, export: EntityIndex, params: &[WasmValType], results: &[WasmValType]) -> Option<()> {
        let EntityIndex::Function(function) = export else { return None };
        let EngineOrModuleTypeIndex::Module(ty) = self.main.module.functions.get(function)?.signature else {
            return None;
        };
        let ty = self.types[ty].unwrap_func();
        holds(ty.params() == params && ty.results() == results)
    }
}

/// Two modules between the op's and the host: the first has a table and functions that call
/// through it, the second fills the table once the op's memory is there.
struct Passing {
    /// Where each function of the first module goes.
    behind: Vec<TrampolineIndex>,
}

impl Passing {
    fn of(
        types: &ComponentTypesBuilder,
        [calling, filling]: [&ModuleTranslation<'_>; 2],
        args: &[CoreDef],
    ) -> Option<Self> {
        nothing_but_a_table(calling)?;
        holds(calling.module.initializers.is_empty() && calling.table_initialization.segments.is_empty())?;
        nothing_but_a_table(filling)?;
        holds(filling.module.num_imported_tables == 1 && filling.module.exports.is_empty())?;
        holds(filling.module.functions.len() == filling.module.num_imported_funcs)?;
        let [segment] = &*filling.table_initialization.segments else { return None };
        holds(segment.table_index == TableIndex::new(0) && segment.offset.ops() == [ConstOp::I32Const(0)])?;
        let TableSegmentElements::Functions(functions) = &segment.elements else { return None };
        let table = calling.module.tables.get(TableIndex::new(0))?;
        holds(table.idx_type == IndexType::I32 && table.limits.min == u64::try_from(functions.len()).ok()?)?;
        holds(filling.module.initializers.len() == args.len())?;
        let mut given = Vec::new();
        for (import, arg) in filling.module.initializers.iter().zip(args) {
            let Initializer::Import { index, .. } = import;
            match (index, arg) {
                (EntityIndex::Function(_), CoreDef::Trampoline(trampoline)) => given.push(*trampoline),
                (EntityIndex::Table(_), CoreDef::Export(CoreExport { instance, item })) => {
                    let its = ExportItem::Index(EntityIndex::Table(TableIndex::new(0)));
                    holds(instance.index() == 0 && *item == its)?;
                }
                _ => return None,
            }
        }
        let in_place = |place: usize| given.get(functions.get(place)?.index()).copied();
        let all = calling.module.functions.keys();
        let behind = all.map(|function| in_place(place(types, calling, function)?));
        Some(Self { behind: behind.collect::<Option<_>>()? })
    }

    fn behind(&self, export: &CoreExport<EntityIndex>) -> Option<TrampolineIndex> {
        holds(export.instance.index() == 0)?;
        let ExportItem::Index(EntityIndex::Function(function)) = export.item else { return None };
        self.behind.get(function.index()).copied()
    }
}

/// The place of the table through which a function hands on all it was given, doing nothing else.
fn place(
    types: &ComponentTypesBuilder,
    calling: &ModuleTranslation<'_>,
    function: FuncIndex,
) -> Option<usize> {
    let module = &calling.module;
    let signature = module.functions.get(function)?.signature;
    let body = &calling.function_body_inputs.get(module.defined_func_index(function)?)?;
    holds(body.body.get_locals_reader().ok()?.get_count() == 0)?;
    let mut operators = body.body.get_operators_reader().ok()?.into_iter();
    let mut operator = || operators.next()?.ok();
    let mut handed = 0_u32;
    let place = loop {
        match operator()? {
            Operator::LocalGet { local_index } if local_index == handed => handed += 1,
            Operator::I32Const { value } => break usize::try_from(value).ok()?,
            _ => return None,
        }
    };
    let Operator::CallIndirect { type_index, table_index: 0 } = operator()? else { return None };
    // Bodies are validated when they are compiled, and these are not.
    let EngineOrModuleTypeIndex::Module(ty) = signature else { return None };
    holds(types[ty].unwrap_func().params().len() == usize::try_from(handed).ok()?)?;
    holds(*module.types.get(TypeIndex::from_u32(type_index))? == signature)?;
    holds(matches!(operator()?, Operator::End) && operator().is_none())?;
    Some(place)
}

/// A module with a table, functions, and nothing else.
fn nothing_but_a_table(translation: &ModuleTranslation<'_>) -> Option<()> {
    let Module { tables, memories, globals, tags, .. } = &translation.module;
    holds(tables.len() == 1 && memories.is_empty() && globals.is_empty() && tags.is_empty())?;
    holds(translation.start_func.is_none() && translation.passive_elements.is_empty())
}

/// The rest of the text of a type that is expected.
struct Expected(&'static str);

impl Expected {
    fn next(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Ends where the type is another one, so it takes no longer than the text is.
    fn is(&mut self, types: &ComponentTypesBuilder, ty: &InterfaceType) -> Option<()> {
        match ty {
            InterfaceType::String => self.next("string"),
            InterfaceType::List(list) => {
                self.next("list<")?;
                self.is(types, &types[*list].element)?;
                self.next(">")
            }
            InterfaceType::Record(record) => {
                let fields = types[*record].fields.iter().map(|field| (field.name.as_str(), Some(&field.ty)));
                self.each(types, "record{", fields)
            }
            InterfaceType::Variant(variant) => {
                let cases = types[*variant].cases.iter().map(|(name, ty)| (name.as_str(), ty.as_ref()));
                self.each(types, "variant{", cases)
            }
            InterfaceType::Enum(names) => {
                let names = types[*names].names.iter().map(|name| (name.as_str(), None));
                self.each(types, "enum{", names)
            }
            InterfaceType::Result(result) => {
                self.next("result<")?;
                self.is(types, types[*result].ok.as_ref()?)?;
                self.next(",")?;
                self.is(types, types[*result].err.as_ref()?)?;
                self.next(">")
            }
            _ => None,
        }
    }

    fn each<'t>(
        &mut self,
        types: &ComponentTypesBuilder,
        kind: &str,
        parts: impl Iterator<Item = (&'t str, Option<&'t InterfaceType>)>,
    ) -> Option<()> {
        self.next(kind)?;
        for (index, (name, ty)) in parts.enumerate() {
            if index > 0 {
                self.next(",")?;
            }
            self.next(name)?;
            if let Some(ty) = ty {
                self.next(":")?;
                self.is(types, ty)?;
            }
        }
        self.next("}")
    }
}

fn holds(so: bool) -> Option<()> {
    so.then_some(())
}
