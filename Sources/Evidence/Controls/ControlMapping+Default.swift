extension ControlMapping {
    /// The mapping that comes with the program.
    public static let standard = ControlMapping(
        catalogs: [
            "nist-800-53": Catalog(
                title: "NIST SP 800-53 Rev. 5",
                controls: [
                    "AC-4": "Information Flow Enforcement",
                    "AC-4(21)": "Physical or Logical Separation of Information Flows",
                    "SC-7": "Boundary Protection",
                    "SC-7(5)": "Deny by Default, Allow by Exception",
                    "CA-7": "Continuous Monitoring",
                    "CM-6": "Configuration Settings",
                ]),
            "pci-dss-4": Catalog(
                title: "PCI DSS v4.0.1",
                controls: [
                    "1.2.1": "Configuration standards for network security controls",
                    "1.2.5": "Services, protocols and ports that are allowed",
                    "1.2.7": "Review of configurations of network security controls",
                    "1.3.1": "Inbound traffic to the cardholder data environment is restricted",
                    "1.3.2": "Outbound traffic from the cardholder data environment is restricted",
                    "1.4.1": "Controls between trusted and untrusted networks",
                ]),
            "iso-27001": Catalog(
                title: "ISO/IEC 27001:2022, Annex A",
                controls: [
                    "A.8.20": "Networks security",
                    "A.8.22": "Segregation of networks",
                ]),
        ],
        checks: [
            "machine": ["nist-800-53/CM-6", "pci-dss-4/1.2.1"],
            "endpoint": [
                "nist-800-53/AC-4", "nist-800-53/SC-7", "nist-800-53/SC-7(5)", "pci-dss-4/1.2.5",
                "pci-dss-4/1.2.7", "pci-dss-4/1.3.1", "pci-dss-4/1.3.2", "pci-dss-4/1.4.1",
                "iso-27001/A.8.20", "iso-27001/A.8.22",
            ],
            "hostFilter": [
                "nist-800-53/AC-4", "nist-800-53/SC-7", "pci-dss-4/1.4.1", "iso-27001/A.8.22",
            ],
            "assertion": [
                "nist-800-53/AC-4", "nist-800-53/AC-4(21)", "nist-800-53/SC-7",
                "pci-dss-4/1.2.7", "iso-27001/A.8.22",
            ],
            "probes": [
                "nist-800-53/AC-4", "nist-800-53/CA-7", "pci-dss-4/1.3.1", "pci-dss-4/1.3.2",
                "iso-27001/A.8.22",
            ],
        ])
}
