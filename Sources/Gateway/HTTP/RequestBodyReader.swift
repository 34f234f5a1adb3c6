import HTTPTypes
import Hummingbird
import NIOCore

/// Reads the body of a request with bounds on its size.
enum RequestBodyReader {
    /// The body as JSON; throws `APIError` when it is too large, of another type or malformed.
    static func json(_ request: Request, maxByteCount: Int) async throws -> JSONValue {
        let tooLarge = APIError(.bodyTooLarge, "The request body may have at most \(maxByteCount) bytes.")
        if let text = request.headers[.contentLength], let byteCount = Int(text), byteCount > maxByteCount {
            throw tooLarge
        }
        // Insisting on the type keeps web pages of other origins out: browsers ask before they send it.
        let type = request.headers[.contentType]?.split { $0 == ";" || $0 == " " }.first?.lowercased() ?? ""
        guard type == "application/json" || type.hasSuffix("+json") else {
            throw APIError(.unsupportedMediaType, "The request must have the header 'Content-Type: application/json'.")
        }
        var bytes: [UInt8] = []
        for try await buffer in request.body {
            guard bytes.count + buffer.readableBytes <= maxByteCount else { throw tooLarge }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        do {
            return try JSONReader.read(bytes)
        } catch let failure as JSONReader.Failure {
            throw APIError.invalid(
                nil, "The request body is not valid JSON: \(failure.message), at byte \(failure.offset).")
        }
    }
}
