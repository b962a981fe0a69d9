pub const MAX_FILE_LEN: u64 = 1 << 20;
use knock_spa_proto::knock::Sequence;
pub fn first(_bytes: &[u8]) -> Option<Sequence> {
    None
}
