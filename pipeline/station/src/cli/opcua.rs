//! `plumb opcua`: the station's certificate, who is trusted, who knocked, and users for the server. Trust is a person's act:
//! nothing here or elsewhere trusts anybody by itself.

use super::{Exit, fail, print, say};
use jiff::Timestamp;
use plumb_opcua::security::{Certificate, Entry, Own, Pki, PkiError, Role, UserConfig, Wish, hash_password};
use serde_json::{Value, json};
use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

/// What `plumb opcua` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum OpcUa {
    /// Show the station's own certificate, and make it where there is none.
    Certificate(OwnCertificate),
    /// List the peers that are trusted and those that knocked.
    Clients(Folder),
    /// Trust a peer that knocked, or the certificate in a file.
    Trust(Whom),
    /// Trust a peer no more.
    Distrust(Whom),
    /// Make the config's lines for a user; the password is asked for, and never an argument.
    User(User),
}

/// Which folder of certificates, and how to tell.
#[derive(Debug, clap::Args)]
pub(super) struct Folder {
    /// Folder of the certificates: `opcua` in the station's data folder.
    #[arg(long, value_name = "FOLDER", default_value = "data/opcua")]
    pki: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Arguments of `plumb opcua certificate`.
#[derive(Debug, clap::Args)]
pub(super) struct OwnCertificate {
    #[command(flatten)]
    folder: Folder,
    /// Make a new one with a new key in place of the old; every peer must trust it anew.
    #[arg(long)]
    renew: bool,
    /// A DNS name or an address by which clients reach this machine; repeat it for each. Beside the machine's own name.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Its name, as people see it in a PLC's list.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The application's URI, unique in the plant.
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// Years it is good for.
    #[arg(long, value_name = "N", default_value_t = 5)]
    years: u8,
}

/// Arguments of `plumb opcua trust` and `distrust`.
#[derive(Debug, clap::Args)]
pub(super) struct Whom {
    /// The first digits of a thumbprint, or a certificate's file.
    #[arg(value_name = "THUMBPRINT|FILE")]
    whom: String,
    #[command(flatten)]
    folder: Folder,
}

/// Arguments of `plumb opcua user`.
#[derive(Debug, clap::Args)]
pub(super) struct User {
    /// The user's name.
    name: String,
    /// observer, operator or engineer.
    #[arg(long, value_name = "ROLE", default_value = "observer", value_parser = role)]
    role: Role,
    /// Log in by this certificate and not by a password.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

impl OpcUa {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Certificate(own) => own.run(),
            Self::Clients(folder) => clients(&folder),
            Self::Trust(whom) => whom.run(Pki::trust, "trusted"),
            Self::Distrust(whom) => whom.run(Pki::distrust, "not trusted any more"),
            Self::User(user) => user.run(),
        }
    }
}

impl OwnCertificate {
    fn run(self) -> Exit {
        let told = self.given();
        let mut wish = Wish { years: self.years, ..Wish::of_this_machine() };
        wish.hosts.extend(self.host);
        wish.name = self.name.unwrap_or(wish.name);
        wish.application_uri = self.uri.unwrap_or(wish.application_uri);
        let problems = wish.problems();
        if !problems.is_empty() {
            return fail(Exit::Usage, problems.join("; "));
        }
        let made = Pki::open(&self.folder.pki).and_then(|pki| match self.renew {
            true => Ok((pki.renew(&wish)?, true)),
            false => {
                let there = pki.own()?.is_some();
                Ok((pki.own_or_new(&wish)?, !there))
            }
        });
        let (own, new) = match made {
            Ok(made) => made,
            Err(error) => return fail(exit_of(&error), error),
        };
        if new {
            say(
                "a new certificate; have it trusted by every PLC and client (load the file below into its trust list)",
            );
        } else if told {
            say("the certificate was there already and says what it said; --renew makes another");
        }
        let expiry = own.certificate.expiry(Timestamp::now());
        let printed = match self.folder.json {
            true => print(format!("{:#}\n", own_as_json(&own)).as_bytes()),
            false => print(own_as_text(&own).as_bytes()),
        };
        if printed == Exit::Ok && !expiry.is_far() {
            say(&format!("it {expiry}: make another with --renew while there is time to have it trusted"));
            return Exit::Finding;
        }
        printed
    }

    /// Something was asked of a new one.
    fn given(&self) -> bool {
        self.name.is_some() || self.uri.is_some() || !self.host.is_empty()
    }
}

fn own_as_json(own: &Own) -> Value {
    let mut document = as_json(&own.certificate);
    document["schema"] = json!("plumb.opcua_certificate/1");
    document["file"] = json!(own.certificate_path);
    document["key"] = json!(own.key_path);
    document
}

fn own_as_text(own: &Own) -> String {
    let certificate = &own.certificate;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "name         {}\nURI          {}\nhosts        {}\nthumbprint   {}\nvalidity     {}\nfile         {}\n",
        text(&certificate.common_name),
        text(&certificate.application_uri),
        certificate.hosts.join(", "),
        certificate.thumbprint,
        certificate.expiry(Timestamp::now()),
        own.certificate_path.display(),
    )
}

fn as_json(certificate: &Certificate) -> Value {
    let expiry = certificate.expiry(Timestamp::now());
    json!({
        "name": certificate.common_name,
        "application_uri": certificate.application_uri,
        "hosts": certificate.hosts,
        "thumbprint": certificate.thumbprint,
        "not_before": certificate.not_before.to_string(),
        "not_after": certificate.not_after.to_string(),
        "days_left": expiry.days(),
        "key_bits": certificate.key_bits,
    })
}

fn clients(folder: &Folder) -> Exit {
    let listed = Pki::open(&folder.pki).and_then(|pki| Ok((pki.trusted()?, pki.rejected()?)));
    let (trusted, knocked) = match listed {
        Ok(listed) => listed,
        Err(error) => return fail(exit_of(&error), error),
    };
    if folder.json {
        let entries = |entries: &[Entry]| entries.iter().map(entry_as_json).collect::<Vec<_>>();
        let document = json!({
            "schema": "plumb.opcua_clients/1", "trusted": entries(&trusted), "knocked": entries(&knocked),
        });
        return print(format!("{document:#}\n").as_bytes());
    }
    let mut text = String::new();
    for (state, entries) in [("trusted", &trusted), ("knocked", &knocked)] {
        text.extend(entries.iter().map(|entry| format!("{state}  {}\n", entry_as_text(entry))));
    }
    if text.is_empty() {
        say("nobody is trusted, and nobody has knocked yet");
    } else if !knocked.is_empty() {
        say(
            "compare a thumbprint with the one the peer itself shows before you trust it: `plumb opcua trust THUMBPRINT`",
        );
    }
    print(text.as_bytes())
}

fn entry_as_json(entry: &Entry) -> Value {
    let since = entry.since.and_then(|since| Timestamp::try_from(since).ok());
    let mut document = match &entry.certificate {
        Ok(certificate) => as_json(certificate),
        Err(error) => json!({ "error": error.to_string() }),
    };
    document["file"] = json!(entry.path);
    document["since"] = json!(since.map(|since| format!("{since:.0}")));
    document
}

fn entry_as_text(entry: &Entry) -> String {
    match &entry.certificate {
        Ok(certificate) => format!("{certificate}, {}", certificate.expiry(Timestamp::now())),
        Err(error) => error.to_string(),
    }
}

impl Whom {
    fn run(self, act: fn(&Pki, &str) -> Result<Certificate, PkiError>, now: &str) -> Exit {
        let certificate = match Pki::open(&self.folder.pki).and_then(|pki| act(&pki, &self.whom)) {
            Ok(certificate) => certificate,
            Err(error) => return fail(exit_of(&error), error),
        };
        say(&format!("{certificate} is {now}"));
        for flaw in certificate.flaws(plumb_opcua::security::Expect::default(), Timestamp::now()) {
            say(&format!("but it will be refused all the same: it {flaw}"));
        }
        if !self.folder.json {
            return Exit::Ok;
        }
        let mut document = as_json(&certificate);
        document["schema"] = json!("plumb.opcua_peer/1");
        document["state"] = json!(now);
        print(format!("{document:#}\n").as_bytes())
    }
}

impl User {
    fn run(self) -> Exit {
        let certificate = match self.certificate.as_deref().map(Certificate::read).transpose() {
            Ok(certificate) => certificate.map(|certificate| certificate.thumbprint),
            Err(error) => return fail(Exit::Device, error),
        };
        let password = match certificate {
            Some(_) => None,
            None => match password()
                .and_then(|password| hash_password(&password).map_err(|error| error.to_string()))
            {
                Ok(hash) => Some(hash),
                Err(why) => return fail(Exit::Usage, why),
            },
        };
        let user = UserConfig { name: self.name, role: self.role, password, certificate };
        let problems = user.problems();
        if !problems.is_empty() {
            return fail(Exit::Usage, problems.join("; "));
        }
        if self.json {
            return print(
                format!("{:#}\n", json!({ "schema": "plumb.opcua_user/1", "user": user })).as_bytes(),
            );
        }
        match toml_of(&user) {
            Ok(lines) => {
                say("for the station's config:");
                print(format!("[[opcua.user]]\n{lines}").as_bytes())
            }
            Err(error) => fail(Exit::Bug, error),
        }
    }
}

fn toml_of(user: &UserConfig) -> Result<String, toml::ser::Error> {
    toml::to_string(user)
}

/// The password, from a terminal without showing it, or one line of a pipe.
fn password() -> Result<String, String> {
    let shown = Hidden::on_terminal();
    if shown.is_some() {
        say("password (it is not shown):");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| format!("cannot read the password ({error})"))?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err("no password was given; type it, or pipe one line into the command".to_owned()),
        password => Ok(password.to_owned()),
    }
}

/// A terminal that does not show what is typed, until it is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn on_terminal() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0); // the terminal may be gone
    }
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "observer" => Ok(Role::Observer),
        "operator" => Ok(Role::Operator),
        "engineer" => Ok(Role::Engineer),
        _ => Err("expected observer, operator or engineer".to_owned()),
    }
}

/// What was asked for cannot be done as it was written, or the disk's turn.
fn exit_of(error: &PkiError) -> Exit {
    match error {
        PkiError::NotAThumbprint { .. }
        | PkiError::Nobody { .. }
        | PkiError::Several { .. }
        | PkiError::Wish { .. } => Exit::Usage,
        PkiError::Make { .. } => Exit::Bug,
        _ => Exit::Device,
    }
}
