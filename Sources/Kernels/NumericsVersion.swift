/// The version of the arithmetic: nodes with different ones never share a pipeline.
///
/// Raised by every change that alters a bit of any result.
public let numericsVersion: UInt32 = 1
