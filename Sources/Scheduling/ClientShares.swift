/// What each client was served, in virtual time as in weighted fair queueing.
///
/// A client's service is the rows computed for it; virtual time advances by the same, divided by the number of clients
/// that want something: it is the service that each would have if all were served alike. Who begins (again) begins at
/// virtual time at least, so that nobody saves up by idling; who was served more than others keeps that until the others
/// have caught up. As virtual time goes on, whoever waits comes first at last, however many others come after it.
struct ClientShares: Sendable {
    private struct Account {
        var service: Double
        var requestCount: Int
    }

    private var accounts: [String: Account] = [:]
    private var activeCount = 0
    private var virtualTime = 0.0

    /// Clients without requests whose service is remembered; beyond it all of them are forgotten.
    static let idleLimit = 1024

    /// What a row costs: a token of an answer counts as two of a prompt, which share the reading of the weights.
    static func cost(rowCount: Int, isDecode: Bool) -> Double { Double(isDecode ? 2 * rowCount : rowCount) }

    /// A client has one request more.
    mutating func join(_ client: String) {
        var account = accounts[client] ?? Account(service: virtualTime, requestCount: 0)
        if account.requestCount == 0 {
            account.service = max(account.service, virtualTime)
            activeCount += 1
        }
        account.requestCount += 1
        accounts[client] = account
    }

    /// A client has one request less.
    mutating func leave(_ client: String) {
        guard var account = accounts[client] else { return }
        account.requestCount -= 1
        accounts[client] = account
        guard account.requestCount == 0 else { return }
        activeCount -= 1
        if account.service <= virtualTime { accounts[client] = nil }
        if accounts.count - activeCount > Self.idleLimit { accounts = accounts.filter { $0.value.requestCount > 0 } }
    }

    /// Work was done for a client that has requests.
    mutating func charge(_ client: String, _ cost: Double) {
        accounts[client]?.service += cost
        virtualTime += cost / Double(max(activeCount, 1))
    }

    func service(_ client: String) -> Double { accounts[client]?.service ?? virtualTime }

    /// Clients that are remembered.
    var clientCount: Int { accounts.count }
}
