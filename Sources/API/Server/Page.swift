import Crypto
import Foundation
import HTTPTypes
import Hummingbird

/// The page for people, at `/`: one file that the binary carries, with the head that it is sent with.
struct Page: Sendable {
    private let body: [UInt8]
    private let headers: HTTPFields

    /// - Parameter html: A page whose style and script stand in it, each in one element.
    init(_ html: [UInt8]) {
        body = html
        let policy = [
            "default-src 'none'",
            "style-src \(Self.source(of: "style", in: html))",
            "script-src \(Self.source(of: "script", in: html))",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            // Text never becomes markup, not even by a mistake of the page's own.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
            .contentSecurityPolicy: policy.joined(separator: "; "),
            .xContentTypeOptions: "nosniff",
        ]
        for (name, value) in [
            ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            guard let name = HTTPField.Name(name) else { continue }
            headers[name] = value
        }
        self.headers = headers
    }

    /// The page of this build.
    static let own = Page(PackageResources.page_html)

    func add(to router: Router<BasicRequestContext>) {
        router.get("/") { request, _ in
            _ = try Query(request, allowed: [])
            return Response(
                status: .ok, headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        }
    }

    /// What a policy calls an element's content by: only exactly these bytes are run or applied.
    private static func source(of element: String, in html: [UInt8]) -> String {
        let text = String(decoding: html, as: UTF8.self)
        guard let start = text.range(of: "<\(element)>"),
            let end = text.range(of: "</\(element)>", range: start.upperBound..<text.endIndex)
        else { return "'none'" }
        let content = Data(text[start.upperBound..<end.lowerBound].utf8)
        return "'sha256-\(Data(SHA256.hash(data: content)).base64EncodedString())'"
    }
}
