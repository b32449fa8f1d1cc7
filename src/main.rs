//! The `landbridge` command.
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let rt = tokio::runtime::Runtime::new().unwrap();
    rt.block_on(async {
        match args[1].as_str() {
            "layout" => { landbridge::demo::federation::Federation::lay_out(args[2].as_ref(), landbridge::demo::federation::PORTS, landbridge::clock::Clock::System.now()).unwrap(); }
            "serve" => {
                tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
                let config = match landbridge::config::Config::load(args[2].as_ref()) { Ok(c) => c, Err(f) => { for f in f { eprintln!("{f}"); } return } };
                let m = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().unwrap();
                match landbridge::gateway::Gateway::start(config, landbridge::clock::Clock::System, m).await {
                    Ok(g) => g.run().await.unwrap(),
                    Err(landbridge::gateway::StartError::Faults(f)) => for f in f { eprintln!("{f}"); },
                    Err(e) => eprintln!("{e:?}"),
                }
            }
            _ => {}
        }
    });
}
