//! A camera calibrated at the console of a running station, on the frames of its parts: as a browser asks, without one.

mod workshop;

use plumb_camera::{Calibration, Target, draw};
use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_ledger::{AuditLog, AuditQuery, Verified};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use workshop::{
    Workshop,
    bottles::{Belt, RECIPE, STATION},
    wait_until,
};

const TARGET: &str = "chessboard:7x5:10";
/// Of the target in the picture.
const PX_PER_MM: f64 = 5.0;

/// Sees a chessboard that lies in the part's plane.
struct Board {
    seen: AtomicU64,
    pixels: Vec<u8>,
}

impl Board {
    fn new() -> Self {
        let target: Target = TARGET.parse().expect("a target");
        let drawn = draw::pixels(&target, PX_PER_MM).expect("a picture");
        let (width, height) = (640_u32, 480_u32);
        assert!(drawn.width() < width && drawn.height() < height, "{:?}", drawn.dimensions());
        let mut pixels = vec![200; (width * height) as usize];
        let (left, top) = ((width - drawn.width()) / 2, (height - drawn.height()) / 2);
        for (x, y, pixel) in drawn.enumerate_pixels() {
            // Not clipped: a camera that is set right sees paper below its white.
            pixels[((top + y) * width + left + x) as usize] = 20 + (u32::from(pixel.0[0]) * 180 / 255) as u8;
        }
        Self { seen: AtomicU64::new(0), pixels }
    }
}

impl LineCamera for Board {
    fn expose(&self) -> Option<LineExposure> {
        let frame_id = self.seen.fetch_add(1, Relaxed) + 1;
        let image = Image::packed(640, 480, PixelFormat::Gray8, self.pixels.clone()).expect("a picture");
        Some(LineExposure { image, frame_id })
    }
}

/// Somebody with a session.
struct Person {
    agent: ureq::Agent,
    base: String,
    cookie: String,
    token: String,
}

impl Person {
    /// With the one-time password, and another one of their own afterwards.
    fn login(base: &str, once: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        let agent = ureq::Agent::new_with_config(config);
        let mut person = Self { agent, base: base.to_owned(), cookie: String::new(), token: String::new() };
        person.post("/login", &[("name", "admin"), ("password", once)]);
        person.token = person.token_of("/password");
        let own = "a password of my own";
        person.post("/password", &[("old", once), ("new", own), ("again", own)]);
        person.token = person.token_of("/calibration");
        person
    }

    fn token_of(&self, path: &str) -> String {
        let page = self.get(path);
        let token =
            page.split("name=\"plumb-token\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.unwrap_or_else(|| panic!("{path} has no token: {page}")).to_owned()
    }

    fn get(&self, path: &str) -> String {
        let answer = self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookie).call();
        answer.expect("HTTP").body_mut().read_to_string().expect("text")
    }

    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("x-plumb-token", &self.token);
        let mut answer = request.send_form(form.iter().copied()).expect("HTTP");
        let cookies = answer.headers().get_all("set-cookie").iter();
        if let Some(cookie) = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next()).next() {
            self.cookie = cookie.to_owned();
        }
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    }
}

#[test]
fn a_plane_is_found_on_the_frames_of_parts_and_written_as_the_command_writes_it() {
    let workshop = Workshop::new(STATION, RECIPE);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let data = plan.station.data.clone();
    let wiring = Wiring { line: Some(Arc::new(Board::new())), ..Wiring::default() };
    let station = Arc::new(Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}")));
    wait_until("the station", Duration::from_secs(20), || station.condition().is_ready());
    let once = station.first_password.clone().expect("nobody could log in before");
    let mut ann = Person::login(&format!("http://{}", station.address.expect("HTTP")), &once);

    assert!(ann.get("/calibration").contains("not calibrated"));
    let (status, says) = ann.post("/calibration/look", &[]);
    assert!(status == 200 && says.contains("nobody is guided"), "{status} {says}");
    for (camera, task, target, expected) in [
        ("none", "plane", TARGET, "there is no camera"),
        ("top", "colour", TARGET, "is nothing to calibrate"),
        ("top", "lens", "chessboard:0x0:1", "chessboard"),
    ] {
        let (status, says) =
            ann.post("/calibration/begin", &[("camera", camera), ("task", task), ("target", target)]);
        assert!(status == 409 && says.contains(expected), "{status} {says}");
    }
    let begin = |ann: &mut Person, task: &str, asks: &str| {
        let form = [("camera", "top"), ("task", task), ("target", TARGET), ("asks", asks)];
        let (status, says) = ann.post("/calibration/begin", &form);
        assert_eq!(status, 200, "{says}");
    };
    // Nothing passes by while no part comes, and that is said.
    begin(&mut ann, "plane", "");
    assert!(ann.post("/calibration/look", &[]).1.contains("has given no picture for 3 s"));
    let (status, says) = ann.post("/calibration/write", &[("reason", "new line")]);
    assert!(status == 409 && says.contains("missing still"), "{status} {says}");
    // A look that begins a part sees it.
    begin(&mut ann, "focus", "yes");
    let (_, says) = ann.post("/calibration/look", &[]);
    assert!(says.contains("100 %") && says.contains("bottom right"), "{says}");
    let (status, says) = ann.post("/calibration/write", &[("reason", "x")]);
    assert!(status == 409 && says.contains("nothing to write"), "{status} {says}");

    let belt = Belt::start(&station);
    // A lens asks for more than one view of the target, and says which.
    begin(&mut ann, "lens", "");
    let (_, says) = ann.post("/calibration/look", &[]);
    assert!(says.contains("hold the target into") && says.contains("class=\"cells\""), "{says}");
    let (_, says) = ann.post("/calibration/look", &[]);
    assert!(says.contains("Does not count"), "the same view twice says nothing new: {says}");

    begin(&mut ann, "plane", "");
    let (_, says) = ann.post("/calibration/look", &[]);
    assert!(says.contains("It can be written"), "{says}");
    assert_eq!(
        ann.post("/calibration/write", &[("reason", " ")]).0,
        409,
        "without a reason nothing is written"
    );
    let (status, says) = ann.post("/calibration/write", &[("reason", "new line")]);
    assert!(status == 200 && says.contains("calibration-top.toml"), "{status} {says}");
    let written = Calibration::read(&workshop.path("calibration-top.toml")).expect("a calibration");
    let plane = written.plane.as_ref().expect("a plane");
    assert!((plane.mm_per_px.x * PX_PER_MM - 1.0).abs() < 0.005, "{:?}", plane.mm_per_px);
    assert!((plane.mm_per_px.y * PX_PER_MM - 1.0).abs() < 0.005, "{:?}", plane.mm_per_px);
    assert!(written.expires_at.is_some() && written.camera.size_px == [640, 480]);
    assert_eq!(
        std::fs::read_dir(data.join("calibration/top")).expect("kept").count(),
        2,
        "what counted is kept"
    );
    // Written again, what it said before is kept beside it.
    let (status, says) = ann.post("/calibration/write", &[("reason", "again")]);
    assert_eq!(status, 200, "{says}");
    let kept = workshop.path(&format!("calibration-top.{}.toml", &written.digest[..8]));
    assert_eq!(Calibration::read(&kept).expect("kept").digest, written.digest);
    assert_eq!(ann.post("/calibration/end", &[]).0, 200);
    assert!(ann.post("/calibration/look", &[]).1.contains("nobody is guided"));

    belt.stop();
    let station = Arc::into_inner(station).expect("the belt has let go");
    station.stop().unwrap_or_else(|error| panic!("{error}"));
    let log = AuditLog::new(&data);
    assert!(matches!(log.verify().expect("readable"), Verified::Whole { .. }));
    let query =
        AuditQuery { what: Some("calibration_written".to_owned()), limit: 10, ..AuditQuery::default() };
    let entries = log.find(&query).expect("readable");
    let told = entries.iter().map(|entry| (entry.who.as_str(), entry.reason.as_str())).collect::<Vec<_>>();
    assert_eq!(told, [("admin", "again"), ("admin", "new line")]);
    // Named by the config, it is what the next start measures by.
    let named = STATION.replace(
        "source = { kind = \"line\" }",
        "source = { kind = \"line\" }\ncalibration = \"calibration-top.toml\"",
    );
    workshop.write("station.toml", &named);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(plan.cameras[0].mm_per_px.is_some());
}
