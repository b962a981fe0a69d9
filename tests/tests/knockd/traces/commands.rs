//! What is run, and what is said about it.

use super::*;

pub fn traces() -> Vec<Trace> {
    [starts(), families(), stops(), lengths()].concat()
}

fn command(start: &str, more: &str) -> String {
    format!("[d]\nsequence = 7000\nstart_command = {start}\n{more}\n")
}

fn starts() -> Vec<Trace> {
    let start = |name: &str, start: &str| Trace::new(name, &command(start, ""), "a: 7000 x: 7000");
    vec![
        start("ip_placeholder_forms", "echo %IP% %ip% %% %IP %IP%%IP% x%IP%x %%IP%% >>$RAN"),
        start("a command without an address", "echo d start >>$RAN"),
        start("a status that is not zero", "echo d start %IP% >>$RAN; exit 3"),
        start("a status of 255", "exit 255"),
        start("a command that is not there", "/nonexistent/command %IP%"),
        start("a command that is killed", "echo d start >>$RAN; kill -9 $$"),
        start("an empty start command", ""),
        start("a command with an equals sign", "echo a=b = c >>$RAN"),
        start("a command with a hash", "echo a#b >>$RAN"),
        Trace::new(
            "the last of two commands",
            &command("echo 1 >>$RAN", "command = echo 2 >>$RAN"),
            "a: 7000",
        ),
        Trace::new(
            "commands_run_concurrently",
            &command("sleep 0.4; echo %IP% >>$RAN", ""),
            "a: 7000 b: 7000 c: 7000",
        ),
        Trace::new(
            "every packet of a one-port udp door",
            "[d]\nsequence = 7000:udp\ncommand = echo %IP% >>$RAN\n",
            &format!("a: {}", "7000u ".repeat(20)),
        ),
    ]
}

fn families() -> Vec<Trace> {
    let six = |name: &str, more: &str| {
        Trace::new(
            name,
            &command("echo start %IP% >>$RAN", &format!("cmd_timeout = 0\n{more}")),
            "a: 7000 x: 7000",
        )
    };
    vec![
        six(
            "start_command_6",
            "start_command_6 = echo start6 %IP% >>$RAN\nstop_command = echo stop %IP% >>$RAN",
        ),
        six("command_6", "command_6 = echo start6 %IP% >>$RAN"),
        six(
            "stop_command_6",
            "stop_command = echo stop %IP% >>$RAN\nstop_command_6 = echo stop6 %IP% >>$RAN",
        ),
        six("stop_command_6 alone", "stop_command_6 = echo stop6 %IP% >>$RAN"),
        six(
            "both commands for IPv6",
            "start_command_6 = echo start6 >>$RAN\nstop_command_6 = echo stop6 >>$RAN\nstop_command = echo s >>$RAN",
        ),
        six("an empty start command for IPv6", "start_command_6 =\nstop_command = echo stop %IP% >>$RAN"),
        six("an empty stop command for IPv6", "stop_command = echo stop %IP% >>$RAN\nstop_command_6 ="),
        Trace::new(
            "commands for IPv6 alone",
            "[d]\nsequence = 7000\nstart_command_6 = echo start6 %IP% >>$RAN\n",
            "a: 7000 x: 7000",
        ),
    ]
}

fn stops() -> Vec<Trace> {
    let stop = |seconds: &str| {
        command(
            "echo start %IP% >>$RAN",
            &format!("stop_command = echo stop %IP% >>$RAN\ncmd_timeout = {seconds}"),
        )
    };
    let only_stop = "[d]\nsequence = 7000\nstop_command = echo stop >>$RAN\ncmd_timeout = 0\n";
    vec![
        Trace::new("a stop after a second", &stop("1"), "a: 7000 x: 7000"),
        Trace::new("a stop at once", &stop("0"), "a: 7000 x: 7000"),
        Trace::new("a stop after garbage", &stop("soon"), "a: 7000"),
        Trace::new("a stop after a number and letters", &stop("1min"), "a: 7000"),
        Trace::new("a stop after nothing", &stop(""), "a: 7000"),
        Trace::new("a stop without a start", only_stop, "a: 7000"),
        Trace::new("a stop whose start is empty", &format!("{only_stop}start_command =\n"), "a: 7000"),
        Trace::new(
            "an empty stop",
            &command("echo start >>$RAN", "stop_command =\ncmd_timeout = 0"),
            "a: 7000",
        ),
        Trace::new(
            "a stop whose start fails",
            &command("exit 1", "stop_command = echo stop >>$RAN; exit 2\ncmd_timeout = 0"),
            "a: 7000",
        ),
        Trace::new(
            "a stop that is counted from the end of the start",
            &[
                command(
                    "sleep 1.2; echo start >>$RAN",
                    "stop_command = echo stop %IP% >>$RAN\ncmd_timeout = 1",
                ),
                "[e]\nsequence = 8000\ncommand = echo e >>$RAN\n".to_owned(),
            ]
            .concat(),
            "a: 7000 ~1700 b: 8000",
        ),
        Trace::new("reknock_while_open", &stop("1"), "a: 7000 ~600 7000"),
        Trace::new("two knockers, two stops", &stop("1"), "a: 7000 b: 7000 ~500 x: 7000"),
    ]
}

/// A command that is so many bytes long with an address of 12 bytes in the place of `%IP%`.
fn of_len(len: usize) -> String {
    let (start, end) = ("echo %IP% ", " >>$RAN");
    let filling = "x".repeat(len - start.len() - end.len() - 12 + "%IP%".len());
    format!("{start}{filling}{end}")
}

fn lengths() -> Vec<Trace> {
    let plain = "echo start %IP% >>$RAN";
    let stop = |stop: &str| command(plain, &format!("cmd_timeout = 0\nstop_command = {stop}"));
    // Each is on a line of at most 4095 bytes, with addresses that make the command longer.
    let longer = |len: usize| {
        let start = format!("echo {} ", "%IP% ".repeat(200));
        let filling = "x".repeat(len - "echo  ".len() - 200 * 13 - " >>$RAN".len());
        format!("{start}{filling} >>$RAN")
    };
    vec![
        Trace::new("a command of 1000 bytes", &command(&of_len(1000), ""), "a: 7000"),
        Trace::new("a message of 1023 bytes", &command(&of_len(1023 - 20), ""), "a: 7000"),
        Trace::new("a message of 1024 bytes", &command(&of_len(1024 - 20), ""), "a: 7000"),
        Trace::new("a command of 2000 bytes", &command(&of_len(2000), ""), "a: 7000"),
        Trace::new("a command of 4095 bytes", &command(&longer(4095), ""), "a: 7000"),
        Trace::new("overlong_command_refused", &command(&longer(4096), ""), "a: 7000 b: 7000"),
        Trace::new("a stop of 4095 bytes", &stop(&longer(4095)), "a: 7000"),
        Trace::new("overlong_stop_refused", &stop(&longer(4096)), "a: 7000 b: 7000"),
        Trace::new(
            "overlong for long addresses only",
            &command(&longer(4080), ""),
            "a: 7000 192.0.2.222: 7000 1.1.1.1: 7000",
        ),
    ]
}
