import Testing

/// Seeded mutations of sound files: whatever comes of them, it is a value or a `CheckpointError`, in little memory.
///
/// Each test is a process of its own with a memory limit, so that a crash or a huge allocation fails that test alone.
/// `PHALANX_FUZZ_SEED` replays a seed, `PHALANX_FUZZ_ROUNDS` sets how many mutations each test makes.
@Suite(.serialized) struct CheckpointFuzzTests {
    @Test func `mutated GGUF files open or are refused`() async {
        await #expect(processExitsWith: .success) { try CheckpointFuzzer().fuzzGGUF() }
    }

    @Test func `mutated safetensors files open or are refused`() async {
        await #expect(processExitsWith: .success) { try CheckpointFuzzer().fuzzSafetensors() }
    }

    @Test func `mutated configurations open or are refused`() async {
        await #expect(processExitsWith: .success) { try CheckpointFuzzer().fuzzConfiguration() }
    }
}
