import HTTPTypes
import Hummingbird
import NIOCore

/// The web page at `/`: a chat and a picture of the cluster. Its files are part of the program.
enum WebPage {
    private struct File {
        let type: String
        let bytes: [UInt8]
        /// Changes with the content.
        let tag: String

        init(_ type: String, _ bytes: [UInt8]) {
            self.type = type
            self.bytes = bytes
            // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): tells versions of a file of ours apart.
            let hash = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            tag = "\"\(String(hash, radix: 16))\""
        }
    }

    private static let index = File("text/html; charset=utf-8", PackageResources.index_html)

    private static let files: [String: File] = {
        let script = "text/javascript; charset=utf-8"
        let style = "text/css; charset=utf-8"
        return [
            "/page/page.css": File(style, PackageResources.page_css),
            "/page/chat.css": File(style, PackageResources.chat_css),
            "/page/cluster.css": File(style, PackageResources.cluster_css),
            "/page/icon.svg": File("image/svg+xml", PackageResources.icon_svg),
            "/page/theme.js": File(script, PackageResources.theme_js),
            "/page/page.js": File(script, PackageResources.page_js),
            "/page/api.js": File(script, PackageResources.api_js),
            "/page/chat.js": File(script, PackageResources.chat_js),
            "/page/reader.js": File(script, PackageResources.reader_js),
            "/page/message.js": File(script, PackageResources.message_js),
            "/page/conversations.js": File(script, PackageResources.conversations_js),
            "/page/settings.js": File(script, PackageResources.settings_js),
            "/page/markdown.js": File(script, PackageResources.markdown_js),
            "/page/inline.js": File(script, PackageResources.inline_js),
            "/page/cluster.js": File(script, PackageResources.cluster_js),
            "/page/pipeline.js": File(script, PackageResources.pipeline_js),
            "/page/changes.js": File(script, PackageResources.changes_js),
            "/page/figures.js": File(script, PackageResources.figures_js),
            "/page/dom.js": File(script, PackageResources.dom_js),
        ]
    }()

    /// Nothing from elsewhere, no script but ours, and no string that becomes markup.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ].joined(separator: "; ")

    /// The answer when the request is for the page or one of its files, or else nil.
    ///
    /// `/` is the page only for those who take `text/html`: API clients ask it, too, to see who is there.
    static func response(to request: Request) -> Response? {
        guard request.method == .get || request.method == .head, let file = file(for: request) else { return nil }
        var headers: HTTPFields = [
            .contentType: file.type,
            // A browser asks each time whether it has the version of this program.
            .cacheControl: "no-cache",
            .eTag: file.tag,
            .contentSecurityPolicy: policy,
            .xContentTypeOptions: "nosniff",
        ]
        for (name, value) in [
            ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        if request.uri.path == "/" { headers[.vary] = "Accept" }
        if isKnown(file, to: request) { return Response(status: .notModified, headers: headers) }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }

    /// Whether the path is the page's or one of its files'.
    static func serves(_ request: Request) -> Bool { file(for: request) != nil }

    private static func file(for request: Request) -> File? {
        guard request.uri.path == "/" else { return files[request.uri.path] }
        let accepted = request.headers[values: .accept].joined(separator: ",").lowercased()
        return accepted.contains("text/html") ? index : nil
    }

    /// Whether the client has the file already (`If-None-Match`, RFC 9110, section 13.1.2).
    private static func isKnown(_ file: File, to request: Request) -> Bool {
        request.headers[values: .ifNoneMatch].joined(separator: ",").split(separator: ",").contains { tag in
            let tag = tag.trimmingPrefix { $0 == " " }
            return tag == "*" || tag.hasPrefix(file.tag) || tag.hasPrefix("W/" + file.tag)
        }
    }
}
