//! CURVE: two programs that share no memory and no secret. Each has its own key on disk and the
//! other's public one; the server lets in whoever is in its directory.

use std::path::Path;
use std::{env, fs, process};

use ferrozmq::{Ctx, Curve, CurveKeyPair, PublicKey, Result, Rules, SocketType};

fn server(keys: &Path) -> Result<()> {
    let ctx = Ctx::new();
    let clients = Rules::new().allow_keys_in(keys.join("clients"))?;
    ctx.authenticator()?.set_rules(clients);

    let socket = ctx.socket(SocketType::REP)?;
    socket.set_security(Curve::server(&CurveKeyPair::load(
        keys.join("server_secret"),
    )?))?;
    socket.bind("tcp://127.0.0.1:*")?;

    let program = env::current_exe()?;
    let mut client = process::Command::new(program)
        .args([keys.as_os_str(), socket.last_endpoint().as_ref()])
        .spawn()?;
    let question = socket.recv_msg(0)?;
    println!(
        "{:?} asks: {:?}",
        question.gets("User-Id"),
        question.as_str()
    );
    socket.send("by its key", 0)?;
    assert!(client.wait()?.success());
    Ok(())
}

fn client(keys: &Path, endpoint: &str) -> Result<()> {
    let socket = Ctx::new().socket(SocketType::REQ)?;
    let ours = CurveKeyPair::load(keys.join("clients/ann_secret"))?;
    let server = PublicKey::load(keys.join("server"))?;
    socket.set_security(Curve::client(&ours, server))?;
    socket.connect(endpoint)?;
    socket.send("how do you know me?", 0)?;
    println!("the server answers: {}", socket.recv_string(0)?);
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [keys, endpoint] = &arguments[..] {
        return client(Path::new(keys), endpoint);
    }
    let keys = tempfile::tempdir()?;
    fs::create_dir(keys.path().join("clients"))?;
    CurveKeyPair::new()?.save(keys.path().join("server"), "")?;
    CurveKeyPair::new()?.save(keys.path().join("clients/ann"), "Ann")?;
    server(keys.path())
}
