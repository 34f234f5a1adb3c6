import CWire

/// A question of the standard health service (grpc.health.v1).
public struct HealthCheckRequest: Hashable, Sendable, WireMessage {
    /// The service that is asked about; empty for the whole server.
    public let service: String

    public init(service: String) { self.service = service }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(grpc__health__v1__health_check_request__init)
            unsafe message.pointee.service = unsafe arena.text(service, limit: WireLimits.nameByteCount)
            return unsafe message
        }
    }

    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "HealthCheckRequest", grpc__health__v1__health_check_request__unpack)
        {
            message throws(WireError) in
            HealthCheckRequest(
                service: try unsafe WireReader.string(message.pointee.service, "HealthCheckRequest.service"))
        }
    }
}

/// The answer of the standard health service.
public struct HealthCheckResponse: Hashable, Sendable, WireMessage {
    public enum ServingStatus: UInt32, Hashable, Sendable, CaseIterable {
        case unknown = 0
        case serving = 1
        case notServing = 2
        /// Only as an answer to Watch.
        case serviceUnknown = 3
    }

    public let status: ServingStatus

    public init(status: ServingStatus) { self.status = status }

    public func wireBytes() -> [UInt8] {
        unsafe WireArena.encode { arena in
            let message = unsafe arena.make(grpc__health__v1__health_check_response__init)
            unsafe message.pointee.status = Grpc__Health__V1__HealthCheckResponse__ServingStatus(status.rawValue)
            return unsafe message
        }
    }

    /// A status that is not known here reads as `.unknown`, as the protocol has it.
    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(
            bytes, "HealthCheckResponse", grpc__health__v1__health_check_response__unpack
        ) {
            message throws(WireError) in
            HealthCheckResponse(status: ServingStatus(rawValue: unsafe message.pointee.status.rawValue) ?? .unknown)
        }
    }
}

/// A message without content: Describe, Status, and the end of Forward.
public struct EmptyMessage: Hashable, Sendable, WireMessage {
    public init() {}

    public func wireBytes() -> [UInt8] { [] }

    /// Fields that a later version may send are passed over.
    public init(wireBytes bytes: [UInt8]) throws(WireError) {
        self = try unsafe WireReader.unpack(bytes, "EmptyMessage", phalanx__v1__describe_request__unpack) {
            _ throws(WireError) in EmptyMessage()
        }
    }
}
