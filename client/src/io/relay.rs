//! A connection in place of standard input and output, as for ssh's ProxyCommand.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use socket2::SockRef;

/// How much is copied at once, in bytes: as much as a pipe holds.
const BUFFER: usize = 64 * 1024;

/// Copies standard input to `connection` and what comes back to standard output, until both have ended. The end
/// of one direction is passed on, and the other goes on: who has said all may still be answered.
///
/// # Errors
/// Where the connection breaks. A reader of standard output that has had enough is an end like any other.
pub(crate) fn relay(mut connection: &TcpStream) -> io::Result<()> {
    set_up(connection)?;
    // Not the standard library's own: that one holds back what does not end with a newline.
    let (input, output) = (standard(rustix::stdio::stdin())?, standard(rustix::stdio::stdout())?);
    let up = connection.try_clone()?;
    let sending = thread::Builder::new().spawn(move || send(&input, &up))?;
    match copy(&mut connection, &mut &output) {
        Ok(()) => close(output)?,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        Err(error) => return Err(error),
    }
    // Where it was cut short, the other side was gone already, and has said so to the copying above.
    sending.join().unwrap_or_default();
    Ok(())
}

/// What a program that has the connection to itself would set: nothing waits to be sent with more, and a peer
/// that is gone is noticed.
fn set_up(connection: &TcpStream) -> io::Result<()> {
    connection.set_nonblocking(false)?;
    connection.set_nodelay(true)?;
    SockRef::from(connection).set_keepalive(true)
}

fn standard(stream: rustix::fd::BorrowedFd<'_>) -> io::Result<File> {
    stream.try_clone_to_owned().map(File::from)
}

/// Copies input to the connection, and passes its end on.
fn send(mut input: &File, mut connection: &TcpStream) {
    // Without a writer there is nothing more to say, and without a reader nobody to say it to.
    copy(&mut input, &mut connection).unwrap_or_default();
    connection.shutdown(Shutdown::Write).unwrap_or_default();
}

/// Copies until the end. By hand: the standard library would splice, and a splice that waits for the connection holds
/// the pipe to its reader shut, who then waits for what was in it before, as ssh does for ever.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => to.write_all(buffer.get(..len).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Closes standard output for whoever reads it, `copy` being another descriptor of it. Where it is one socket
/// with standard input, that one stays.
fn close(copy: File) -> io::Result<()> {
    // Anything but a socket refuses, and is closed below.
    rustix::net::shutdown(&copy, rustix::net::Shutdown::Write).unwrap_or_default();
    drop(copy);
    let nowhere = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(nowhere)?;
    Ok(())
}
