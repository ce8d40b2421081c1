import AgentCore
import NetTypes
import Testing

@Suite struct GuardRegisterTests {
    private typealias View = GuardRegister.View

    private static let address = IPAddress.v4(0x0a00_0002)
    private static let occupant = GuardRegister.Occupant(
        tenant: "shop", endpoint: "shop-1", addresses: [address])

    private func moment(_ seconds: Int) -> Timestamp {
        Timestamp(secondsSince1970: Double(seconds))
    }

    private func view(_ farEnd: View.FarEnd, _ interface: Int32 = 7) -> View {
        View(interface: interface, name: "veth\(interface)", farEnd: farEnd)
    }

    private var guarded: GuardRegister {
        var register = GuardRegister(boot: "b")
        _ = register.update([view(.endpoint(Self.occupant))], at: moment(1))
        return register
    }

    @Test(
        arguments: [
            (.outOfSight, .outOfSight), (.unclaimed, .unclaimed), (.contested, .contested),
        ] as [(GuardRegister.View.FarEnd, GuardRegister.Reason)])
    func `a link stays closed when its endpoint is lost`(
        _ farEnd: GuardRegister.View.FarEnd, _ reason: GuardRegister.Reason
    ) {
        var register = guarded
        let changes = register.update([view(farEnd)], at: moment(2))
        #expect(changes.held.map(\.reason) == [reason])
        #expect(register.held[7]?.occupant == Self.occupant)
        #expect(register.retainedAddresses == [Self.address])
        // However often it is looked at, it is told once and since then.
        let first = register.update([view(farEnd)], at: moment(3))
        #expect(first.isEmpty)
        #expect(register.held[7]?.since == moment(2))
    }

    @Test func `a link that was never an endpoint's is left alone`() {
        var register = GuardRegister(boot: "b")
        let first = register.update([view(.outOfSight), view(.unclaimed, 8)], at: moment(1))
        #expect(first.isEmpty)
        #expect(register.held.isEmpty)
    }

    @Test func `a contested link is closed at first sight`() {
        var register = GuardRegister(boot: "b")
        let first = register.update([view(.contested)], at: moment(1))
        #expect(first.held.count == 1)
    }

    @Test func `an endpoint at the link ends the hold`() {
        var register = guarded
        _ = register.update([view(.outOfSight)], at: moment(2))
        let changes = register.update([view(.endpoint(Self.occupant))], at: moment(3))
        #expect(changes.ended.map(\.interface) == [7])
        #expect(register.held.isEmpty)
    }

    @Test func `a link that is gone is forgotten, and its index may be another link's`() {
        var register = guarded
        _ = register.update([view(.outOfSight)], at: moment(2))
        let first = register.update([], at: moment(3)).ended.map(\.interface)
        #expect(first == [7])
        let second = register.update([view(.outOfSight)], at: moment(4))
        #expect(second.isEmpty)
    }

    @Test func `a released link stays open until an endpoint is there`() {
        var register = guarded
        _ = register.update([view(.outOfSight)], at: moment(2))
        let first = register.release(named: "veth8")
        #expect(first == nil)
        let second = register.release(named: "veth7")
        #expect(second?.interface == 7)
        let third = register.update([view(.outOfSight)], at: moment(3))
        #expect(third.isEmpty)
        _ = register.update([view(.endpoint(Self.occupant))], at: moment(4))
        let fourth = register.update([view(.outOfSight)], at: moment(5))
        #expect(fourth.held.count == 1)
    }

    @Test func `the register outlives the agent and not the boot`() {
        var register = guarded
        _ = register.update([view(.outOfSight)], at: moment(2))
        #expect(register.resumed(in: "b") == register)
        #expect(register.resumed(in: "c").held.isEmpty)
        #expect(register.resumed(in: nil).held.isEmpty)
    }

    @Test func `a link that only the kernel knows is taken in`() {
        var register = guarded
        let first = register.adopt(7, name: "veth7", at: moment(2))
        #expect(first == nil)
        let second = register.adopt(9, name: "veth9", at: moment(2))
        #expect(second?.reason == .inherited)
        let views = [view(.endpoint(Self.occupant)), view(.outOfSight, 9)]
        let third = register.update(views, at: moment(3))
        #expect(third.isEmpty)
        #expect(register.held[9]?.reason == .inherited)
    }
}
