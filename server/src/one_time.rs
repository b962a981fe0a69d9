pub const MAX_FILE_LEN: u64 = 1 << 20;
