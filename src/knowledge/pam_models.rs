//! What is known of PAM modules: which options they know, what they answer, and what evidence that answer rests on.
//!
//! One file per module under `signatures/pam/`, each naming the manual page or source it was written from. A module or
//! an option that stands in none of them is unknown, and so is whatever hangs on it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

macro_rules! models {
    ($($name:literal),* $(,)?) => {
        /// The models that are built in, by file name.
        const SOURCES: &[(&str, &str)] =
            &[$((concat!($name, ".toml"), include_str!(concat!("../../signatures/pam/", $name, ".toml")))),*];
    };
}

models! {
    "access",
    "cap",
    "ck_connector",
    "debug",
    "deny",
    "duo",
    "echo",
    "env",
    "exec",
    "faildelay",
    "faillock",
    "gnome_keyring",
    "google_authenticator",
    "group",
    "issue",
    "keyinit",
    "krb5",
    "lastlog",
    "ldap",
    "limits",
    "listfile",
    "localuser",
    "loginuid",
    "mail",
    "mkhomedir",
    "motd",
    "namespace",
    "nologin",
    "oath",
    "okta",
    "permit",
    "privacyidea",
    "pwquality",
    "radius",
    "rhosts",
    "rootok",
    "script",
    "securetty",
    "selinux",
    "sepermit",
    "setquota",
    "shells",
    "slurm_adopt",
    "ssh_agent_auth",
    "ssh_auth_info",
    "sss",
    "succeed_if",
    "systemd",
    "systemd_home",
    "time",
    "tty_audit",
    "u2f",
    "umask",
    "unix",
    "usertype",
    "warn",
    "wheel",
    "winbind",
    "xauth",
    "yubico",
}

/// All models.
#[derive(Debug, Default)]
pub struct PamModels {
    by_module: BTreeMap<String, ModuleModel>,
}

/// What is known of one module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModuleModel {
    /// Its file name: `pam_unix.so`.
    pub module: String,
    /// Other file names of the same module.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where this knowledge comes from: manual page and version, or source file and version.
    pub source: String,
    /// Options it knows.
    #[serde(default)]
    pub options: Options,
    /// Conditions that its outcomes name.
    #[serde(default)]
    pub conditions: BTreeMap<String, ConditionModel>,
    /// What it may answer to `pam_sm_authenticate`. None: not modelled.
    #[serde(default)]
    pub auth: Vec<Outcome>,
    /// What it may answer to `pam_sm_acct_mgmt`. None: not modelled.
    #[serde(default)]
    pub account: Vec<Outcome>,
}

/// Options of a module. One that ends in `=` takes a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// They do not change who is let in, and with what evidence.
    #[serde(default)]
    pub plain: Vec<String>,
    /// Outcomes or conditions depend on them.
    #[serde(default)]
    pub deciding: Vec<String>,
    /// Arguments that are no options but a language of their own (`pam_succeed_if`): read by the condition's test.
    #[serde(default)]
    pub free_form: bool,
}

/// A condition of an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConditionModel {
    /// What kind of guard it is where it stays open.
    pub kind: ConditionKind,
    /// The condition as a clause; tests that make a better one from the arguments replace it.
    pub clause: String,
    /// How it can be settled.
    #[serde(default)]
    pub test: TestModel,
    /// Of `enrolment-file`: where the file is. `~` is the home directory, `%u` the account's name.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Of `enrolment-file`: the option that names another path, with its `=`.
    #[serde(default)]
    pub path_option: Option<String>,
}

/// Kinds of guards that a model may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// Nobody could tell.
    Unmodelled,
    /// A service is down or a configuration broken.
    FailOpen,
    /// The account has not been enrolled.
    NotEnrolled,
    /// A factor given earlier still counts.
    Grace,
    /// A property of the connection or the account.
    Connection,
}

/// How a condition is settled for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestModel {
    /// Not at all: both branches stay open.
    #[default]
    Open,
    /// One of `paths` exists for the account.
    EnrolmentFile,
    /// `PermitEmptyPasswords yes` lets PAM accept an empty password at all.
    EmptyPasswordsPermitted,
    /// The account stands in the root's passwd(5).
    LocalAccount,
    /// The account's uid is 0.
    Superuser,
    /// All conditions of pam_succeed_if(8) hold.
    SucceedIf,
    /// The arguments of pam_succeed_if(8) are malformed.
    SucceedIfMalformed,
    /// access.conf(5) grants access.
    Access,
    /// The list of pam_listfile(8) lets the account pass.
    ListFile,
    /// The login shell stands in shells(5).
    Shell,
    /// Duo's configuration lets users pass when it or the service is broken.
    DuoFailsOpen,
    /// Duo's configuration leaves the account out.
    DuoGroupsExempt,
    /// A method other than PAM's has already succeeded on this connection.
    KeyShown,
}

/// One thing that a module may answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outcome {
    /// All of these hold: `option nullok`, `no option nullok`, `enrolled`, `not enrolled`.
    #[serde(default)]
    pub when: Vec<String>,
    /// The codes it may return, by name; `*` for every code.
    pub returns: Vec<String>,
    /// The evidence that was shown.
    #[serde(default)]
    pub shows: Option<AtomModel>,
    /// How the evidence is asked for.
    #[serde(default)]
    pub asks: Asks,
}

/// Evidence as a model names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AtomModel {
    /// `knowledge`, `possession`, `inherence` or `opaque`.
    pub kind: AtomKind,
    /// Equal identities are the same secret.
    pub identity: String,
}

/// Kinds of evidence that a module can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtomKind {
    /// A memorised secret.
    Knowledge,
    /// A key, a seed, a device.
    Possession,
    /// A biometric.
    Inherence,
    /// Decided elsewhere.
    Opaque,
}

/// How a module gets at what it checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    /// It asks for nothing, or by another road (a push to a telephone).
    #[default]
    Nothing,
    /// It prompts without echo.
    Hidden,
    /// It prompts with echo.
    Visible,
    /// It takes what an earlier module asked for (`PAM_AUTHTOK`), or prompts without echo and leaves the answer there.
    Authtok,
    /// It takes what an earlier module asked for and never prompts.
    AuthtokOnly,
    /// It prompts without echo, takes a one-time code off the end and leaves the rest in `PAM_AUTHTOK`.
    CodeAtEnd,
    /// The same with what an earlier module asked for.
    AuthtokCodeAtEnd,
}

/// A model that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// The file.
    pub file: String,
    /// What is wrong, one sentence.
    pub reason: String,
}

impl PamModels {
    /// The models that this program carries.
    ///
    /// # Panics
    ///
    /// Never in a program whose tests pass: they read every model.
    pub fn builtin() -> &'static Self {
        static MODELS: OnceLock<PamModels> = OnceLock::new();
        MODELS.get_or_init(|| Self::read(SOURCES.iter().copied()).expect("the tests read every built-in model"))
    }

    /// Reads models from `(file name, TOML)`.
    ///
    /// # Errors
    ///
    /// The first file that is no model, names a module twice, or an option or condition it does not declare.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ModelError> {
        let mut models = Self::default();
        for (file, text) in files {
            let error = |reason: String| ModelError { file: file.to_owned(), reason };
            let model: ModuleModel = toml::from_str(text).map_err(|e| error(e.to_string()))?;
            model.check().map_err(error)?;
            for name in std::iter::once(&model.module).chain(&model.aliases) {
                if models.by_module.insert(name.clone(), model.clone()).is_some() {
                    return Err(error(format!("`{name}` has two models")));
                }
            }
        }
        Ok(models)
    }

    /// The model of the module with this file name.
    #[must_use]
    pub fn get(&self, module: &str) -> Option<&ModuleModel> {
        self.by_module.get(module)
    }

    /// Every model, by file name of the module.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ModuleModel)> {
        self.by_module.iter().map(|(name, model)| (name.as_str(), model))
    }
}

/// What an outcome's `when` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal<'a> {
    /// An option that is given, or is not.
    Option(&'a str, bool),
    /// A condition that holds, or does not.
    Condition(&'a str, bool),
}

impl Outcome {
    /// Its `when`, read.
    pub fn literals(&self) -> impl Iterator<Item = Literal<'_>> {
        self.when.iter().map(|text| {
            if let Some(name) = text.strip_prefix("option ") {
                Literal::Option(name, true)
            } else if let Some(name) = text.strip_prefix("no option ") {
                Literal::Option(name, false)
            } else if let Some(name) = text.strip_prefix("not ") {
                Literal::Condition(name, false)
            } else {
                Literal::Condition(text, true)
            }
        })
    }
}

impl ModuleModel {
    fn check(&self) -> Result<(), String> {
        if self.source.len() < 10 {
            return Err("no source is named".to_owned());
        }
        for outcome in self.auth.iter().chain(&self.account) {
            for code in &outcome.returns {
                if code != "*" && crate::formats::pam::ReturnCode::named(code).is_none() {
                    return Err(format!("`{code}` is no return code"));
                }
            }
            for literal in outcome.literals() {
                match literal {
                    Literal::Option(name, _) if !self.options.deciding.iter().any(|option| option == name) => {
                        return Err(format!("the option `{name}` decides but is not declared"));
                    }
                    Literal::Condition(name, _) if !self.conditions.contains_key(name) => {
                        return Err(format!("the condition `{name}` is not declared"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test reads the folder that is built in")]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_built_in_and_readable() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures/pam");
        let mut on_disk: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        on_disk.sort();
        let built_in: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
        assert_eq!(built_in, on_disk);
        let models = PamModels::read(SOURCES.iter().copied()).unwrap();
        assert!(models.iter().count() >= SOURCES.len());
        for (name, model) in models.iter() {
            assert!(!model.auth.is_empty() || !model.account.is_empty(), "{name} answers nothing");
        }
    }

    #[test]
    fn broken_models_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = PamModels::read([("x.toml", text)]).unwrap_err();
            assert!(error.reason.contains(expected), "{}", error.reason);
        };
        let head = "module = 'pam_x.so'\nsource = 'pam_x(8) of nothing'\n";
        check("module = 1", "invalid type");
        check(&format!("{head}[[auth]]\nreturns = ['sucess']"), "`sucess` is no return code");
        check(&format!("{head}[[auth]]\nreturns = ['success']\nwhen = ['option nullok']"), "not declared");
        check(&format!("{head}[[auth]]\nreturns = ['success']\nwhen = ['moon']"), "not declared");
        check(&format!("{head}surprise = 1"), "unknown field");
    }
}
