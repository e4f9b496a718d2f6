//! The processes of a pm2 daemon in the terminal, as they are now: processor, memory, restarts, and the
//! last line that each has written.
//!
//! ```text
//! cargo run -p ferrozmq-axon --example pm2_top
//! ```
//!
//! Press q to end it. Where the output is no terminal it is printed once.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use clap::Parser;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, event, execute, queue, terminal};
use ferrozmq::Ctx;
use ferrozmq_axon::pm2::{self, Bus, BusEvent, Home, Id, LogSource, Pm2, Process, Status};

/// The processes of a pm2 daemon, live.
#[derive(Parser)]
struct Args {
    /// The directory of the daemon; otherwise $PM2_HOME or ~/.pm2.
    #[arg(long)]
    home: Option<PathBuf>,
    /// Print it once, also to a terminal.
    #[arg(long)]
    once: bool,
    /// How many seconds lie between two looks.
    #[arg(long, default_value_t = 1.0)]
    interval: f64,
}

/// How many lines of all processes stand below the table.
const LINES: usize = 8;
/// How much of a log file is read to find its last line.
const TAIL: u64 = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let home = args.home.map_or_else(Home::find, Home::at);
    let interval = Duration::try_from_secs_f64(args.interval)?;
    let mut top = Top::connect(home)?;
    if args.once || !io::stdout().is_terminal() {
        top.look()?;
        let mut out = io::stdout().lock();
        return Ok(top
            .frame(None)
            .into_iter()
            .try_for_each(|line| writeln!(out, "{line}"))?);
    }
    let screen = Screen::enter()?;
    let mut next = Instant::now();
    loop {
        if next <= Instant::now() {
            top.look_or_wait();
            next = Instant::now() + interval;
        }
        top.listen();
        screen.draw(&top)?;
        // Until something is pressed, or it is time to see what was written meanwhile.
        let wait = next.saturating_duration_since(Instant::now());
        if event::poll(wait.min(Duration::from_millis(200)))? && is_end(&event::read()?) {
            return Ok(());
        }
    }
}

fn is_end(event: &Event) -> bool {
    match event {
        Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press,
            ..
        }) => match code {
            KeyCode::Char('q') | KeyCode::Esc => true,
            KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
            _ => false,
        },
        _ => false,
    }
}

/// What is known of the daemon.
struct Top {
    pm2: Pm2,
    bus: Bus,
    version: String,
    processes: Vec<Process>,
    /// Of each process, by its id.
    last: HashMap<Id, String>,
    /// Of all of them.
    lines: VecDeque<String>,
    /// Why nothing is known at the moment.
    trouble: Option<String>,
}

impl Top {
    fn connect(home: Home) -> Result<Self, pm2::Error> {
        let mut pm2 = Pm2::connect(&Ctx::new(), &home)?;
        pm2.set_timeout(Some(Duration::from_secs(5)));
        Ok(Self {
            bus: pm2.bus()?,
            version: pm2.version()?,
            pm2,
            processes: Vec::new(),
            last: HashMap::new(),
            lines: VecDeque::new(),
            trouble: None,
        })
    }

    fn look(&mut self) -> Result<(), pm2::Error> {
        self.processes = self.pm2.list()?;
        for process in &self.processes {
            // What was written before we listened is in the file.
            if let (Some(id), Some(log)) = (process.id(), process.out_log()) {
                self.last
                    .entry(id)
                    .or_insert_with(|| last_line(log).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Looks, and if that fails says so and tries again the next time.
    fn look_or_wait(&mut self) {
        // A call to nobody would wait for the next daemon.
        let home = self.pm2.home().clone();
        self.trouble = match home.check().and_then(|()| self.look()) {
            Ok(()) => None,
            Err(error) => Some(error.to_string()),
        };
        if self.trouble.is_some() {
            self.processes.clear();
        }
    }

    /// Takes what was written since the last time.
    fn listen(&mut self) {
        while let Ok(event) = self.bus.try_recv() {
            let BusEvent::Log(log) = event else { continue };
            for line in log.data.lines().map(plain).filter(|line| !line.is_empty()) {
                let sign = match log.source {
                    LogSource::Out => '|',
                    LogSource::Err => '!',
                    LogSource::Daemon => '*',
                };
                self.lines
                    .push_back(format!("{} {sign} {line}", log.process.name));
                if let Some(id) = &log.process.id {
                    self.last.insert(id.clone(), line);
                }
            }
            while self.lines.len() > LINES {
                self.lines.pop_front();
            }
        }
    }

    /// All lines that are to be seen, with a table that is no wider than `width`.
    fn frame(&self, width: Option<u16>) -> Vec<String> {
        let home = self.pm2.home().path().display();
        let count = self.processes.len();
        let mut lines = vec![format!(
            "pm2 {} in {home}, processes: {count}",
            self.version
        )];
        lines.extend(self.trouble.clone());
        lines.extend(self.table(width).lines());
        lines.extend(self.lines.iter().cloned());
        lines
    }

    fn table(&self, width: Option<u16>) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        if let Some(width) = width {
            table
                .set_width(width)
                .set_content_arrangement(ContentArrangement::Dynamic);
        }
        let head = [
            "id",
            "name",
            "status",
            "cpu",
            "memory",
            "restarts",
            "up",
            "last line",
        ];
        table.set_header(head.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        for process in &self.processes {
            let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            let id = process.id();
            let last = id.as_ref().and_then(|id| self.last.get(id));
            table.add_row([
                right(id.as_ref().map_or_else(String::new, Id::to_string)),
                Cell::new(plain(process.name())),
                Cell::new(process.status()).fg(color(&process.status())),
                right(
                    process
                        .cpu()
                        .map_or_else(String::new, |cpu| format!("{cpu:.1}%")),
                ),
                right(process.memory().map_or_else(String::new, bytes)),
                right(process.restarts().to_string()),
                right(process.uptime().map_or_else(String::new, short)),
                Cell::new(last.map_or("", String::as_str)),
            ]);
        }
        // A line of a log may be long, and is no reason for a row of several lines.
        for row in table.row_iter_mut() {
            row.max_height(1);
        }
        table
    }
}

fn color(status: &Status) -> Color {
    match status {
        Status::Online => Color::Green,
        Status::Errored => Color::Red,
        Status::Stopped => Color::DarkGrey,
        _ => Color::Yellow,
    }
}

/// Text of somebody else, without what would do something to the terminal.
fn plain(text: &str) -> String {
    let text = strip_str(text).to_string();
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

/// The last line of a file.
fn last_line(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(end.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    Ok(plain(tail.lines().last().unwrap_or("")))
}

fn bytes(count: u64) -> String {
    let mut count = count as f64;
    for unit in ["B", "KiB", "MiB"] {
        if count < 1024.0 {
            return format!("{count:.0} {unit}");
        }
        count /= 1024.0;
    }
    format!("{count:.1} GiB")
}

fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// The terminal while it is ours. It is given back whatever happens.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        // What is too wide ends at the edge.
        let no_wrap = terminal::DisableLineWrap;
        execute!(
            io::stdout(),
            terminal::EnterAlternateScreen,
            cursor::Hide,
            no_wrap
        )?;
        Ok(screen)
    }

    /// Writes line over line, so that nothing flickers.
    fn draw(&self, top: &Top) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let mut out = io::stdout().lock();
        queue!(out, cursor::MoveTo(0, 0))?;
        for line in top
            .frame(Some(width))
            .into_iter()
            .take(height.saturating_sub(1).into())
        {
            let rest = terminal::Clear(terminal::ClearType::UntilNewLine);
            queue!(
                out,
                crossterm::style::Print(line),
                rest,
                cursor::MoveToNextLine(1)
            )?;
        }
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let wrap = terminal::EnableLineWrap;
        let _ = execute!(
            io::stdout(),
            wrap,
            cursor::Show,
            terminal::LeaveAlternateScreen
        );
        let _ = terminal::disable_raw_mode();
    }
}
